#include "log/record.h"

#include <doctest/doctest.h>

using namespace reprise::blk;

TEST_CASE("a record comes back as it was packed") {
  const Record record{77, 0xabcdef012345, 4096, RecordKind::kTrim};
  const auto back = unpack(pack(record, 99), 99);
  REQUIRE(back);
  CHECK(back->sequence == 77);
  CHECK(back->target == 0xabcdef012345);
  CHECK(back->count == 4096);
  CHECK(back->kind == RecordKind::kTrim);
}

TEST_CASE("a record with any bit changed, or of another log, is not valid") {
  const PackedRecord good = pack({5, 6, 7, RecordKind::kWrite}, 1);
  CHECK_FALSE(unpack(good, 2));
  for (unsigned bit = 0; bit < 192; ++bit) {
    PackedRecord bad = good;
    reinterpret_cast<unsigned char*>(&bad)[bit / 8] ^= static_cast<unsigned char>(1 << bit % 8);
    CHECK_FALSE(unpack(bad, 1));
  }
  CHECK_FALSE(unpack(PackedRecord{0, 0, 0}, 1));
}

TEST_CASE("the checksum is CRC-32C, in hardware and in the table alike") {
  const char text[] = "123456789";
  CHECK(crc32c(std::as_bytes(std::span(text, 9))) == 0xE3069283);
  const std::uint64_t words[3] = {1, 0x123456789abcdef0, 42};
  CHECK(crc32c(std::as_bytes(std::span(words))) == crc32c_words(words[0], words[1], words[2]));
}
