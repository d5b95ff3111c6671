// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

namespace reprise::vclock {

/** A key by QEMU's number (XT set 1; extended keys have bit 7 set). */
struct KeyEvent {
  std::uint32_t number = 0;
  bool down = false;
};

/** The tablet's absolute position, 0 to kMostAxis, and RFB's mask of buttons. */
struct PointerEvent {
  std::uint16_t x = 0;
  std::uint16_t y = 0;
  std::uint8_t buttons = 0;
};

inline constexpr std::uint16_t kMostAxis = 0x7fff;

/** An Ethernet frame for the guest's network card. */
struct FrameEvent {
  std::vector<std::byte> bytes;
};

inline constexpr std::size_t kMostFrameBytes = 65'535;

/** Whatever reaches the guest from outside, and so has to reach a replay at the same instant. */
using Event = std::variant<KeyEvent, PointerEvent, FrameEvent>;

/** Virtual nanoseconds since the session began. */
struct TimedEvent {
  std::int64_t at_ns = 0;
  Event event;
};

/** What an event costs while it waits: the bound of every queue counts these. */
inline std::size_t weight(const Event& event) noexcept {
  const auto* frame = std::get_if<FrameEvent>(&event);
  return sizeof(TimedEvent) + (frame == nullptr ? 0 : frame->bytes.size());
}

}  // namespace reprise::vclock
