// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/timeline.h"

#include <cassert>
#include <utility>

namespace reprise::vclock {

Timeline::Added Timeline::append(std::vector<TimedEvent> events) {
  std::int64_t last_ns = events_.empty() ? 0 : events_.back().at_ns;
  std::size_t bytes = bytes_;
  for (const auto& [at_ns, event] : events) {
    if (at_ns < last_ns) return Added::kOutOfOrder;
    last_ns = at_ns;
    bytes += weight(event);
    if (bytes > kMostBytes) return Added::kTooMuch;
  }
  for (auto& event : events) events_.push_back(std::move(event));
  bytes_ = bytes;
  return Added::kYes;
}

std::optional<std::int64_t> Timeline::next_ns() const noexcept {
  if (left() == 0) return std::nullopt;
  return events_[next_].at_ns;
}

TimedEvent Timeline::take() {
  assert(left() > 0);
  return std::move(events_[next_++]);
}

void Timeline::clear() noexcept {
  events_ = {};
  next_ = 0;
  bytes_ = 0;
}

}  // namespace reprise::vclock
