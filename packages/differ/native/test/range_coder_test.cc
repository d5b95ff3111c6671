#include "core/range_coder.h"

#include <doctest/doctest.h>

#include "scratch_state.h"

using namespace reprise::differ;

TEST_CASE("whatever is coded comes back, numbers of every width and sign among it") {
  test::Random random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<std::int64_t> values(random() % 400);
    for (auto& value : values) {
      value = static_cast<std::int64_t>(random() >> (17 + random() % 47));
      if (random() % 2 == 0) value = -value;
    }
    RangeEncoder encoder;
    SignedModel written;
    for (const std::int64_t value : values) written.code(encoder, value);
    const Bytes bytes = encoder.finish();
    RangeDecoder decoder(bytes);
    SignedModel read;
    for (const std::int64_t value : values) REQUIRE(read.code(decoder, 0) == value);
  }
}

TEST_CASE("bits that are nearly always the same cost nearly nothing") {
  RangeEncoder encoder;
  BitModel model;
  for (int i = 0; i < 28'000; ++i) codeBit(encoder, model, 1);
  CHECK(encoder.finish().size() < 32);
}

TEST_CASE("a reader of nonsense reads some number and never past the end") {
  test::Random random(2);
  for (int round = 0; round < 200; ++round) {
    Bytes bytes(random() % 20);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    RangeDecoder decoder(bytes);
    NumberModel model;
    for (int i = 0; i < 100; ++i) CHECK(model.code(decoder, 0) < std::uint64_t{1} << 48);
  }
}
