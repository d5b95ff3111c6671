// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/frame_buffer.h"

#include <doctest/doctest.h>

#include <random>

#include "requests.h"

using namespace reprise::vclock;
using namespace reprise::vclock::testing;

TEST_CASE("messages come out whole and in order, however the stream was cut") {
  std::mt19937 random(4);
  Bytes stream;
  for (std::uint32_t id = 0; id < 200; id++) {
    const auto one = framed(message(1, id, Bytes(random() % 40)));
    stream.insert(stream.end(), one.begin(), one.end());
  }
  FrameBuffer buffer;
  std::uint32_t expected = 0;
  for (std::size_t at = 0; at < stream.size();) {
    const auto n = std::min<std::size_t>(1 + random() % 30, stream.size() - at);
    buffer.push(std::span(stream).subspan(at, n));
    at += n;
    while (const auto out = buffer.next()) {
      WireReader in(*out);
      in.number<std::uint16_t>();
      CHECK(in.number<std::uint32_t>() == expected++);
    }
  }
  CHECK(expected == 200);
}

TEST_CASE("an impossible length breaks the stream for good") {
  for (const std::uint32_t length : {0U, 5U, static_cast<std::uint32_t>(kMostMessageBytes) + 1}) {
    FrameBuffer buffer;
    Bytes bytes;
    put_number(bytes, length);
    buffer.push(bytes);
    CHECK_FALSE(buffer.next().has_value());
    CHECK(buffer.broken());
    buffer.push(framed(message(1, 1)));
    CHECK_FALSE(buffer.next().has_value());
  }
}
