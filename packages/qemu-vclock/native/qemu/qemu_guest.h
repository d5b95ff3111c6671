// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <functional>

#include "qemu/idle_jumps.h"
#include "qemu/memory_digest.h"
#include "qemu/serial_disk.h"
#include "qemu/symbols.h"
#include "session/guest.h"

namespace reprise::vclock {

/** The guest that this QEMU runs. */
class QemuGuest final : public Guest {
 public:
  QemuGuest(const Symbols& qemu, IdleJumps& jumps, const SerialDisk& disk);

  /** The machine must be built. */
  void attach();

  /** Who is called at the appointed time. Set once, before the first wake_at(). */
  void on_tick(std::function<void()> tick) { tick_ = std::move(tick); }

  std::int64_t now_ns() override;
  void wake_at(std::int64_t virtual_ns) override;
  void inject(const Event& event) override;
  void stop() override;
  Trace trace() override;
  std::uint64_t memory_digest(std::size_t share, std::size_t shares) override;
  std::int64_t disk_held_ns() override;
  std::int64_t host_ns() override;
  void rest_ns(std::int64_t ns) override;

 private:
  void inject_pointer(const PointerEvent& pointer);
  void inject_frame(const FrameEvent& frame);

  /** Larger than any QEMU's struct QEMUTimer, which is seven words. */
  static constexpr std::size_t kTimerBytes = 256;

  const Symbols& qemu_;
  IdleJumps& jumps_;
  const SerialDisk& disk_;
  MemoryDigest memory_;
  VirtIODevice* network_ = nullptr;
  std::function<void()> tick_;
  alignas(64) std::array<std::byte, kTimerBytes> timer_{};
  std::uint8_t buttons_ = 0;
};

}  // namespace reprise::vclock
