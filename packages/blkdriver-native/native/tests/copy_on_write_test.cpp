#include "device/copy_on_write.h"

#include <doctest/doctest.h>

#include "device/disk_view.h"
#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

/// Every byte through the extents, as the differ reads a disk.
Bytes read_by_extents(const DiskView& view) {
  Bytes bytes(view.size_bytes());
  const auto files = view.files();
  for (const DiskExtent& extent : view.extents()) {
    const UniqueFd fd = open_file(files[extent.file], O_RDONLY);
    REQUIRE_FALSE(read_at(fd.get(), std::span(bytes).subspan(extent.offset, extent.length),
                          extent.file_offset));
  }
  return bytes;
}

}  // namespace

TEST_CASE("a disk reads as a plain array through writes, trims, zeroes, layers and openings") {
  for (std::uint64_t seed = 1; seed <= rounds(8); ++seed) {
    CAPTURE(seed);
    const ScratchDirectory scratch;
    Random random(seed);
    const std::size_t size = 400'000 / 512 * 512 + 512 * random.below(9);  // a short last block
    const TestBase base = make_base(scratch, random, size);
    Bytes model = base.content;
    std::vector<std::filesystem::path> layers;
    for (int layer = 0; layer < 4; ++layer) {
      const auto overlay = scratch / ("overlay" + std::to_string(layer));
      create_overlay(overlay, size);
      for (int opening = 0; opening < 2; ++opening) {
        const auto disk = Disk::open(base.path, layers, overlay, {});
        CHECK(read_all(disk->device()) == model);
        for (int i = 0; i < 20; ++i) random_change(random, disk->device(), model);
        CHECK(read_all(disk->device()) == model);
        disk->close();
      }
      layers.push_back(overlay);
    }
    const auto view = DiskView::open(base.path, layers);
    Bytes viewed(size);
    REQUIRE_FALSE(view->chain().read(0, viewed, Wait::kAllowed));
    CHECK(viewed == model);
    CHECK(read_by_extents(*view) == model);

    merge_overlays(scratch / "merged", layers);
    const auto merged = DiskView::open(base.path, {scratch / "merged"});
    REQUIRE_FALSE(merged->chain().read(0, viewed, Wait::kAllowed));
    CHECK(viewed == model);
  }
}

TEST_CASE("every changed block is in the dirty log, and status says dirty of the same blocks") {
  const ScratchDirectory scratch;
  Random random(3);
  const TestBase base = make_base(scratch, random, 1 << 20);
  create_overlay(scratch / "overlay", 1 << 20);
  const auto disk = Disk::open(base.path, {}, scratch / "overlay", {});
  Bytes model = base.content;
  for (int i = 0; i < 60; ++i) random_change(random, disk->device(), model);
  std::vector<bool> marked(256, false);
  for (const Record& record : read_log(disk->log().cursor({}))) {
    for (std::uint32_t i = 0; is_mark(record.kind) && i < record.count; ++i) {
      marked[record.target + i] = true;
    }
  }
  std::uint64_t at = 0;
  REQUIRE_FALSE(disk->device().status(StatusKind::kDirty, 0, 1 << 20,
                                      [&](std::uint64_t length, std::uint32_t flags) {
                                        for (; length > 0; length -= kBlockSize) {
                                          CHECK((flags != 0) == marked[at++]);
                                        }
                                        return true;
                                      }));
  CHECK(at == 256);
  disk->close();
}

TEST_CASE("injected faults reach the client and leave the disk as it was") {
  const ScratchDirectory scratch;
  Random random(4);
  const TestBase base = make_base(scratch, random, 1 << 16);
  create_overlay(scratch / "overlay", 1 << 16);
  DiskOptions options;
  options.faults.write_rate = 1;
  options.faults.error = std::errc::no_space_on_device;
  const auto disk = Disk::open(base.path, {}, scratch / "overlay", options);
  CHECK(disk->device().write(0, random_bytes(random, 4096)) == std::errc::no_space_on_device);
  CHECK(read_all(disk->device()) == base.content);
  CHECK(disk->counts().errors == 1);
  disk->close();
}

TEST_CASE("zeroes that keep their space are no hole, zeroes that give it back are one") {
  const ScratchDirectory scratch;
  Random random(9);
  constexpr std::size_t kSize = 64 * kBlockSize;
  const TestBase base = make_base(scratch, random, kSize);
  create_overlay(scratch / "overlay", kSize);
  const auto disk = Disk::open(base.path, {}, scratch / "overlay", {});
  REQUIRE_FALSE(disk->device().zero(8 * kBlockSize, 8 * kBlockSize, {.keep_allocated = true}));
  REQUIRE_FALSE(disk->device().zero(32 * kBlockSize, 8 * kBlockSize, {}));
  std::vector<std::uint32_t> flags;
  REQUIRE_FALSE(disk->device().status(StatusKind::kAllocation, 0, kSize,
                                      [&](std::uint64_t length, std::uint32_t state) {
                                        flags.insert(flags.end(), length / kBlockSize, state);
                                        return true;
                                      }));
  REQUIRE(flags.size() == 64);
  CHECK(flags[7] == 0);
  CHECK(flags[8] == kStatusZero);
  CHECK(flags[15] == kStatusZero);
  CHECK(flags[16] == 0);
  // Where the file system cannot tell, "allocated" is what the protocol has for "unknown".
  const bool tells = !space_at(disk->overlay().data_fd(), 0, kBlockSize).reserved;
  CHECK(flags[32] == (tells ? kStatusHole | kStatusZero : kStatusZero));
  disk->close();
}
