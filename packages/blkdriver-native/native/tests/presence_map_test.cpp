#include "overlay/presence_map.h"

#include <doctest/doctest.h>

#include "random.h"
#include "scratch_directory.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

TEST_CASE("the presence map agrees with a plain array, also when it is opened again") {
  const ScratchDirectory scratch;
  Random random(7);
  constexpr std::uint64_t kBlocks = (1 << 18) + 1000;  // two pieces
  std::vector<BlockState> model(kBlocks, BlockState::kAbsent);
  auto map = PresenceMap::create(scratch / "presence", kBlocks);
  for (int i = 0; i < 300; ++i) {
    const std::uint64_t first = random.below(kBlocks);
    const BlockRange range{first, 1 + random.below(std::min<std::uint64_t>(kBlocks - first, 700))};
    const auto state = static_cast<BlockState>(random.below(3));
    REQUIRE_FALSE(map.prepare(range));
    map.set(range, state);
    std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(first), range.count, state);
  }
  const auto check = [&](const PresenceMap& read) {
    for (std::uint64_t block = 0; block < kBlocks;) {
      const auto run = read.run_at(block, kBlocks - block);
      for (std::uint64_t i = 0; i < run.length; ++i) REQUIRE(model[block + i] == run.state);
      block += run.length;
      if (block < kBlocks) REQUIRE(model[block] != run.state);
    }
  };
  check(map);
  check(PresenceMap::open(scratch / "presence", kBlocks, false));
}
