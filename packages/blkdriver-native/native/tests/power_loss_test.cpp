// What a machine that goes down leaves: of every page written since the last
// flush, the old or the new one, as the kernel happened to write them back.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <set>

#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

constexpr std::size_t kSize = 256 * kBlockSize;

Bytes read_file(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY);
  Bytes bytes(file_size(fd.get(), path));
  REQUIRE_FALSE(read_at(fd.get(), bytes, 0));
  return bytes;
}

/// Of each page of each file, the one in `flushed` or the one in `current`. A file
/// that is not in `flushed` was created since; its name is durable, its pages may not be.
void lose_power(Random& random, const std::filesystem::path& flushed,
                const std::filesystem::path& current, const std::filesystem::path& out) {
  std::filesystem::create_directory(out);
  for (const auto& entry : std::filesystem::directory_iterator(current)) {
    const auto name = entry.path().filename();
    Bytes result = read_file(entry.path());
    Bytes old(result.size());
    if (std::filesystem::exists(flushed / name)) {
      old = read_file(flushed / name);
      old.resize(result.size());
    }
    // The header is written with a sync of its own, so it is always the current one.
    for (std::size_t page = 0; name != "header" && page < result.size(); page += 4096) {
      if (random.below(2) == 0) continue;
      const std::size_t n = std::min<std::size_t>(4096, result.size() - page);
      std::copy_n(old.begin() + static_cast<std::ptrdiff_t>(page), n,
                  result.begin() + static_cast<std::ptrdiff_t>(page));
    }
    const UniqueFd fd = open_file(out / name, O_RDWR | O_CREAT);
    REQUIRE_FALSE(write_at(fd.get(), result, 0));
  }
}

bool same_block(const Bytes& a, const Bytes& b, std::size_t block) {
  const auto at = static_cast<std::ptrdiff_t>(block * kBlockSize);
  return std::equal(a.begin() + at, a.begin() + at + kBlockSize, b.begin() + at);
}

std::set<std::uint64_t> marked_blocks(DirtyLog& log) {
  std::set<std::uint64_t> blocks;
  for (const Record& record : read_log(log.cursor({}))) {
    for (std::uint32_t i = 0; is_mark(record.kind) && i < record.count; ++i) {
      blocks.insert(record.target + i);
    }
  }
  return blocks;
}

}  // namespace

TEST_CASE("after a power loss every block is as flushed or as written later, and is marked") {
  for (std::uint64_t seed = 1; seed <= rounds(12); ++seed) {
    CAPTURE(seed);
    const ScratchDirectory scratch;
    Random random(seed);
    const TestBase base = make_base(scratch, random, kSize);
    const auto overlay = scratch / "overlay";
    create_overlay(overlay, kSize);
    DiskOptions options;
    options.overlay.log_segment_bytes = 4096;
    options.overlay.log_compact_bytes = 12 << 10;  // so that compaction takes part
    Bytes model = base.content;
    auto disk = Disk::open(base.path, {}, overlay, options);
    const std::uint64_t before = random.below(600);
    for (std::uint64_t i = 0; i < before; ++i) random_change(random, disk->device(), model);
    REQUIRE_FALSE(disk->device().flush());
    const Bytes flushed = model;
    disk->log().close();  // nothing moves while the directory is copied
    std::filesystem::copy(overlay, scratch / "flushed");
    disk.reset();

    // A compaction syncs what it merges, which `lose_power` would not know of.
    options.overlay.log_compact_bytes = std::uint64_t{1} << 40;
    disk = Disk::open(base.path, {}, overlay, options);
    std::vector<Bytes> later{flushed};
    const std::uint64_t after = random.below(200);
    for (std::uint64_t i = 0; i < after; ++i) {
      random_change(random, disk->device(), model);
      later.push_back(model);
    }
    disk->log().close();
    lose_power(random, scratch / "flushed", overlay, scratch / "crashed");
    disk.reset();

    options.overlay.assume_power_loss = true;
    for (int opening = 0; opening < 2; ++opening) {
      disk = Disk::open(base.path, {}, scratch / "crashed", options);
      const Bytes found = read_all(disk->device());
      const auto marked = marked_blocks(disk->log());
      for (std::size_t block = 0; block < kSize / kBlockSize; ++block) {
        CAPTURE(block);
        const bool known = std::any_of(later.begin(), later.end(), [&](const Bytes& state) {
          return same_block(found, state, block);
        });
        CHECK(known);
        if (!same_block(found, base.content, block)) CHECK(marked.contains(block));
      }
      disk.reset();  // a second opening must find the same
    }
  }
}

TEST_CASE("after a kill every acknowledged write is there, flushed or not") {
  for (std::uint64_t seed = 1; seed <= rounds(5); ++seed) {
    CAPTURE(seed);
    const ScratchDirectory scratch;
    Random random(seed);
    const TestBase base = make_base(scratch, random, kSize);
    create_overlay(scratch / "overlay", kSize);
    const auto disk = Disk::open(base.path, {}, scratch / "overlay", {});
    Bytes model = base.content;
    for (int i = 0; i < 100; ++i) random_change(random, disk->device(), model);
    std::filesystem::copy(scratch / "overlay", scratch / "killed");
    const auto again = Disk::open(base.path, {}, scratch / "killed", {});
    CHECK(read_all(again->device()) == model);
    CHECK(marked_blocks(again->log()) == marked_blocks(disk->log()));
  }
}

TEST_CASE("a mark whose data was never written is taken back, so that no flush can make it true") {
  const ScratchDirectory scratch;
  Random random(1);
  const TestBase base = make_base(scratch, random, kSize);
  create_overlay(scratch / "overlay", kSize);
  {
    const auto disk = Disk::open(base.path, {}, scratch / "overlay", {});
    DirtyLog::Ticket ticket;
    REQUIRE_FALSE(disk->log().mark(RecordKind::kWrite, 9, 1, ticket));  // and killed here
    std::filesystem::copy(scratch / "overlay", scratch / "killed");
    disk->log().complete(ticket);
  }
  {
    const auto disk = Disk::open(base.path, {}, scratch / "killed", {});
    CHECK(read_log(disk->log().cursor({})).back().kind == RecordKind::kRevert);
    REQUIRE_FALSE(disk->device().write(0, random_bytes(random, 4096)));
    REQUIRE_FALSE(disk->device().flush());
  }
  DiskOptions options;
  options.overlay.assume_power_loss = true;
  const auto disk = Disk::open(base.path, {}, scratch / "killed", options);
  CHECK(same_block(read_all(disk->device()), base.content, 9));
}
