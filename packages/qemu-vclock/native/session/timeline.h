// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "session/event.h"

namespace reprise::vclock {

/** The log of a session, to be injected in order. */
class Timeline {
 public:
  static constexpr std::size_t kMostBytes = 256U << 20;

  enum class Added : std::uint8_t { kYes, kOutOfOrder, kTooMuch };

  /** All of them or, when one steps back in time or the limit is reached, none. */
  Added append(std::vector<TimedEvent> events);

  /** The next event's time; empty at the end. */
  [[nodiscard]] std::optional<std::int64_t> next_ns() const noexcept;
  /** The next event, taken. Only when there is one. */
  TimedEvent take();
  [[nodiscard]] std::size_t left() const noexcept { return events_.size() - next_; }
  void clear() noexcept;

 private:
  std::vector<TimedEvent> events_;
  std::size_t next_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace reprise::vclock
