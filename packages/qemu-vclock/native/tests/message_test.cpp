// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message.h"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "requests.h"

using namespace reprise::vclock;
using namespace reprise::vclock::testing;

namespace {

Fault fault_of(const Bytes& bytes) {
  const auto decoded = decode_request(bytes);
  REQUIRE(std::holds_alternative<Refusal>(decoded));
  return std::get<Refusal>(decoded).fault;
}

Bytes record_body(std::int64_t tick_ns, std::uint8_t paced, std::int64_t mark_ns = 0) {
  Bytes body;
  put_number(body, tick_ns);
  put_number(body, paced);
  put_number(body, mark_ns);
  return body;
}

}  // namespace

TEST_CASE("a key event is read as it was sent") {
  const auto decoded = decode_request(message(4, 7, key_body(0x9c, 1)));
  const auto& request = std::get<Request>(decoded);
  CHECK(request.id == 7);
  const auto& key = std::get<KeyEvent>(std::get<InputRequest>(request.body).event);
  CHECK(key.number == 0x9c);
  CHECK(key.down);
}

TEST_CASE("a message of another version, of an unknown type, too short or too long is refused") {
  CHECK(fault_of(message(1, 1, {}, 1)) == Fault::kUnknownVersion);
  CHECK(fault_of(message(99, 1)) == Fault::kUnknownRequest);
  CHECK(fault_of({}) == Fault::kMalformed);
  CHECK(fault_of(message(1, 1, Bytes(1))) == Fault::kMalformed);
  CHECK(fault_of(message(4, 1, key_body(0x100, 1))) == Fault::kMalformed);
  CHECK(fault_of(message(4, 1, key_body(1, 2))) == Fault::kMalformed);
}

TEST_CASE("a tick outside of a millisecond to a second is refused") {
  CHECK(fault_of(message(3, 1, record_body(0, 0))) == Fault::kMalformed);
  CHECK(fault_of(message(3, 1, record_body(2'000'000'000, 0))) == Fault::kMalformed);
  CHECK(std::holds_alternative<Request>(decode_request(message(3, 1, record_body(10'000'000, 1)))));
}

TEST_CASE("an interval of marks that is no multiple of 50 ms, or longer than an hour, is refused") {
  const auto with = [](std::int64_t mark_ns) {
    return message(3, 1, record_body(10'000'000, 1, mark_ns));
  };
  CHECK(std::holds_alternative<Request>(decode_request(with(10'000'000'000))));
  CHECK(fault_of(with(10'000'000)) == Fault::kMalformed);
  CHECK(fault_of(with(3'600'050'000'000)) == Fault::kMalformed);
  CHECK(fault_of(with(-50'000'000)) == Fault::kMalformed);
}

TEST_CASE("a log that announces more events than it has bytes for takes no memory") {
  Bytes body;
  put_number(body, std::uint32_t{0xffff'ffff});
  CHECK(fault_of(message(5, 1, body)) == Fault::kMalformed);
}

TEST_CASE("any bytes are a request or a reason, never more") {
  std::mt19937 random(20260101);
  for (int round = 0; round < 50'000; round++) {
    const auto size = random() % 64;
    Bytes bytes(size);
    for (auto& byte : bytes) byte = static_cast<std::byte>(random());
    if (size > 1 && random() % 2 == 0) {
      bytes[0] = std::byte{kProtocolVersion};
      bytes[1] = static_cast<std::byte>(random() % 10);
    }
    const auto decoded = decode_request(bytes);
    if (const auto* refusal = std::get_if<Refusal>(&decoded)) CHECK_FALSE(refusal->text.empty());
  }
}
