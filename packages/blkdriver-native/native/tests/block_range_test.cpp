#include "device/block_range.h"

#include <doctest/doctest.h>

using namespace reprise::blk;

TEST_CASE("a range touches every block of which it has a byte") {
  CHECK(blocks_touched(0, 1).count == 1);
  CHECK(blocks_touched(4095, 2).count == 2);
  CHECK(blocks_touched(8192, 4096).first == 2);
  CHECK(blocks_touched(8192, 4096).count == 1);
  CHECK(blocks_touched(5, 0).empty());
}

TEST_CASE("only whole blocks lie inside a range, and a short last block is whole at the end") {
  CHECK(blocks_inside(1, 8191, 1 << 20).first == 1);
  CHECK(blocks_inside(1, 8191, 1 << 20).count == 1);
  CHECK(blocks_inside(1, 4096, 1 << 20).empty());
  CHECK(blocks_inside(4096, 512, 4608).count == 1);
  CHECK(blocks_inside(4096, 511, 4608).empty());
}
