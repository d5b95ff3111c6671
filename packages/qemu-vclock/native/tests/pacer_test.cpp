// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/pacer.h"

#include <doctest/doctest.h>

using reprise::vclock::Pacer;

namespace {
constexpr std::int64_t kMs = 1'000'000;
}

TEST_CASE("virtual time that is ahead waits for real time") {
  Pacer pacer;
  pacer.start(1000 * kMs, 5 * kMs);
  CHECK(pacer.wait_ns(1000 * kMs, 15 * kMs) == 10 * kMs);
  CHECK(pacer.wait_ns(1010 * kMs, 15 * kMs) == 0);
  CHECK(pacer.lag_ns() == 0);
}

TEST_CASE("a short hiccup is caught up; a long one is written off and told") {
  Pacer pacer;
  pacer.start(0, 0);
  CHECK(pacer.wait_ns(30 * kMs, 10 * kMs) == 0);
  CHECK(pacer.wait_ns(31 * kMs, 40 * kMs) == 9 * kMs);
  CHECK(pacer.lag_ns() == 0);
  CHECK(pacer.wait_ns(1040 * kMs, 40 * kMs) == 0);
  CHECK(pacer.lag_ns() == 1000 * kMs);
  CHECK(pacer.wait_ns(1040 * kMs, 50 * kMs) == 10 * kMs);
}
