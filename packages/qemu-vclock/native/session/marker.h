// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>

#include "session/event.h"
#include "session/guest.h"
#include "session/mark.h"

namespace reprise::vclock {

/**
 * Takes the marks of a session. To look at all of the memory at once would hold the guest up for as
 * long as a person notices, so an interval is cut into appointments, and each looks at its share.
 */
class Marker {
 public:
  /** Between two looks at the memory; what a mark's interval is a multiple of. */
  static constexpr std::int64_t kShareNs = 50'000'000;
  static constexpr std::int64_t kLongestIntervalNs = 3'600'000'000'000;
  /** A controller that takes none for so long has holes in its log: later ones are dropped. */
  static constexpr std::size_t kMostUntold = 64;

  static bool possible(std::int64_t interval_ns) noexcept {
    return interval_ns % kShareNs == 0 && interval_ns <= kLongestIntervalNs;
  }

  explicit Marker(Guest& guest) : guest_(guest) {}

  /** At a session's zero; an interval of 0 takes none. */
  void start(std::int64_t interval_ns);

  /** The session's time of the next appointment; empty where none are kept. */
  [[nodiscard]] std::optional<std::int64_t> next_ns() const noexcept;

  /** Keeps the appointments up to this time. Before anything is injected at it. */
  void look(std::int64_t session_ns);

  /** Something is injected. */
  void injected(std::int64_t at_ns, const Event& event);

  /** The oldest mark that nobody was told of, taken. */
  std::optional<Mark> take();
  void forget() noexcept { untold_.clear(); }

 private:
  Guest& guest_;
  std::int64_t interval_ns_ = 0;
  std::int64_t next_ns_ = 0;
  std::int64_t first_instruction_ = 0;
  std::uint64_t input_digest_ = 0;
  std::uint64_t memory_digest_ = 0;
  std::deque<Mark> untold_;
};

}  // namespace reprise::vclock
