#include <doctest/doctest.h>

#include "device/disk_view.h"
#include "error.h"
#include "overlay/build.h"
#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

ErrorCode code_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.code();
  }
  FAIL("nothing was thrown");
  return ErrorCode::kIoFailed;
}

}  // namespace

TEST_CASE("a sealed overlay holds the blocks of its data file, in the order given") {
  const ScratchDirectory scratch;
  Random random(1);
  const TestBase base = make_base(scratch, random, 1 << 20);
  Bytes model = base.content;
  const Bytes data = random_bytes(random, 1 << 20);
  {
    const UniqueFd fd = open_file(scratch / "blocks", O_RDWR | O_CREAT);
    REQUIRE_FALSE(write_at(fd.get(), data, 0));
  }
  const BlockRange runs[] = {{2, 3}, {100, 1}};
  for (const BlockRange& run : runs) {
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(run.offset_bytes()), run.length_bytes(),
                model.begin() + static_cast<std::ptrdiff_t>(run.offset_bytes()));
  }
  seal_overlay_from(scratch / "sealed", 1 << 20, scratch / "blocks", runs);
  CHECK_FALSE(std::filesystem::exists(scratch / "blocks"));

  {
    const auto view = DiskView::open(base.path, {scratch / "sealed"});
    Bytes read(1 << 20);
    REQUIRE_FALSE(view->chain().read(0, read, Wait::kAllowed));
    CHECK(read == model);
  }
  const auto held = held_blocks({scratch / "sealed"});
  REQUIRE(held.size() == 2);
  CHECK(held[1].first == 100);
  CHECK(code_of([&] { Overlay::open_writable(scratch / "sealed", {}); }) ==
        ErrorCode::kOverlaySealed);
}

TEST_CASE("runs that overlap or leave the disk are refused") {
  const ScratchDirectory scratch;
  open_file(scratch / "blocks", O_RDWR | O_CREAT);
  const auto seal = [&](std::vector<BlockRange> runs) {
    return code_of([&] { seal_overlay_from(scratch / "s", 1 << 20, scratch / "blocks", runs); });
  };
  CHECK(seal({{5, 2}, {6, 1}}) == ErrorCode::kInvalidArgument);
  CHECK(seal({{255, 2}}) == ErrorCode::kInvalidArgument);
  CHECK(seal({{~std::uint64_t{0}, 2}}) == ErrorCode::kInvalidArgument);
  CHECK_FALSE(std::filesystem::exists(scratch / "s"));
}

TEST_CASE("an overlay is locked, and one that was not closed is no layer") {
  const ScratchDirectory scratch;
  create_overlay(scratch / "o", 1 << 20);
  {
    auto writer = Overlay::open_writable(scratch / "o", {});
    CHECK(code_of([&] { Overlay::open_writable(scratch / "o", {}); }) == ErrorCode::kOverlayBusy);
    CHECK(code_of([&] { Overlay::open_sealed(scratch / "o"); }) == ErrorCode::kOverlayBusy);
  }
  CHECK(code_of([&] { Overlay::open_sealed(scratch / "o"); }) == ErrorCode::kOverlayNotClosed);
  Overlay::open_writable(scratch / "o", {}).close();
  const auto reader = Overlay::open_sealed(scratch / "o");
  CHECK(code_of([&] { Overlay::open_writable(scratch / "o", {}); }) == ErrorCode::kOverlayBusy);
}

TEST_CASE("a header survives damage to either of its copies") {
  const ScratchDirectory scratch;
  create_overlay(scratch / "o", 1 << 20);
  Overlay::open_writable(scratch / "o", {}).close();
  for (const std::uint64_t slot : {0, 512}) {
    std::filesystem::copy(scratch / "o", scratch / ("copy" + std::to_string(slot)));
    const auto copy = scratch / ("copy" + std::to_string(slot));
    {
      const UniqueFd fd = open_file(copy / "header", O_RDWR);
      const std::byte junk[40]{};
      REQUIRE_FALSE(write_at(fd.get(), junk, slot));
    }
    Overlay::open_writable(copy, {}).close();
  }
}
