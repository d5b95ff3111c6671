// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/timeline.h"

#include <doctest/doctest.h>

using namespace reprise::vclock;

TEST_CASE("events come in their order, and one that steps back is refused with its whole batch") {
  Timeline timeline;
  CHECK(timeline.append({{10, KeyEvent{30, true}}, {10, KeyEvent{30, false}}}) ==
        Timeline::Added::kYes);
  CHECK(timeline.append({{20, KeyEvent{}}, {15, KeyEvent{}}}) == Timeline::Added::kOutOfOrder);
  CHECK(timeline.append({{9, KeyEvent{}}}) == Timeline::Added::kOutOfOrder);
  CHECK(timeline.left() == 2);
  CHECK(timeline.next_ns() == 10);
  CHECK(std::get<KeyEvent>(timeline.take().event).down);
  CHECK_FALSE(std::get<KeyEvent>(timeline.take().event).down);
  CHECK_FALSE(timeline.next_ns().has_value());
}

TEST_CASE("a log that is too large is refused and leaves what was there") {
  Timeline timeline;
  const FrameEvent frame{std::vector<std::byte>(kMostFrameBytes)};
  std::size_t added = 0;
  while (timeline.append({{0, frame}}) == Timeline::Added::kYes) added++;
  CHECK(added * kMostFrameBytes <= Timeline::kMostBytes);
  CHECK((added + 2) * (kMostFrameBytes + sizeof(TimedEvent)) > Timeline::kMostBytes);
  CHECK(timeline.left() == added);
}
