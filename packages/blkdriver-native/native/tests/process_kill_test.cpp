// SIGKILL while segments are filled and merged as fast as they can be: a child writes, its parent
// kills it, and an oracle that knows what was acknowledged looks at what is left.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <new>

#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

constexpr std::uint64_t kBlocks = 200;
constexpr std::uint64_t kSize = kBlocks * kBlockSize;

DiskOptions small_files() {
  DiskOptions options;
  options.overlay.log_segment_bytes = 4096;
  options.overlay.log_compact_bytes = 8 << 10;
  return options;
}

/// What the child says of itself; it outlives it.
struct Progress {
  std::atomic<std::uint64_t> acknowledged{0};
};

struct Change {
  BlockRange range;
  RecordKind kind = RecordKind::kWrite;
  std::uint64_t content = 0;
};

/// The n-th change of a round, the same for the child and for the oracle.
Change change_of(std::uint64_t round, std::uint64_t n) {
  Random random(round << 32 | n);
  const std::uint64_t first = random.below(kBlocks);
  const std::uint64_t count = 1 + random.below(std::min<std::uint64_t>(4, kBlocks - first));
  const bool trim = random.below(8) == 0;
  return {{first, count}, trim ? RecordKind::kTrim : RecordKind::kWrite, random.next() | 1};
}

Bytes data_of(const Change& change) {
  Bytes data(change.range.length_bytes());
  Random random(change.content);
  for (std::size_t at = 0; at < data.size(); at += 64) {
    data[at] = static_cast<std::byte>(random.next());
  }
  return data;
}

[[noreturn]] void be_the_child(const TestBase& base, const std::filesystem::path& overlay,
                               std::uint64_t round, Progress& progress) {
  const auto disk = Disk::open(base.path, {}, overlay, small_files());
  for (std::uint64_t n = 0;; ++n) {
    const Change change = change_of(round, n);
    const auto& [range, kind, content] = change;
    const auto error = kind == RecordKind::kTrim
                           ? disk->device().trim(range.offset_bytes(), range.length_bytes())
                           : disk->device().write(range.offset_bytes(), data_of(change));
    if (error || (n % 64 == 63 && disk->device().flush())) ::_exit(1);
    progress.acknowledged.store(n + 1);
  }
}

/// The oracle: each block's last change, in the order of those, and what the disk reads as.
struct Model {
  Bytes content;
  std::map<std::uint64_t, std::uint64_t> last;  // block -> time
  std::uint64_t now = 0;

  void apply(const Change& change) {
    const auto at = content.begin() + static_cast<std::ptrdiff_t>(change.range.offset_bytes());
    const Bytes data =
        change.kind == RecordKind::kTrim ? Bytes(change.range.length_bytes()) : data_of(change);
    std::copy(data.begin(), data.end(), at);
    mark(change.range);
  }
  void mark(BlockRange range) {
    for (std::uint64_t i = 0; i < range.count; ++i) last[range.first + i] = now++;
  }
  std::vector<std::uint64_t> order() const {
    std::map<std::uint64_t, std::uint64_t> by_time;
    for (const auto& [block, time] : last) by_time[time] = block;
    std::vector<std::uint64_t> blocks;
    for (const auto& [time, block] : by_time) blocks.push_back(block);
    return blocks;
  }
};

std::vector<std::uint64_t> order_of(Cursor cursor) {
  Model model;
  for (const Record& record : read_log(std::move(cursor))) {
    if (is_mark(record.kind)) model.mark({record.target, record.count});
  }
  return model.order();
}

bool files_of_a_compaction(const std::filesystem::path& overlay) {
  std::error_code ignored;  // the child renames and removes them meanwhile
  return std::filesystem::exists(unfinished_compaction_path(overlay), ignored);
}

/// Runs a child until it has done `least` changes, and then until the kill finds it compacting.
void run_and_kill(const TestBase& base, const std::filesystem::path& overlay, std::uint64_t round,
                  std::uint64_t least, Progress& progress) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) be_the_child(base, overlay, round, progress);
  int status = 0;
  while (progress.acknowledged.load() < least && ::waitpid(child, &status, WNOHANG) == 0) {
    ::usleep(100);
  }
  // In every second round amid a compaction, where one comes within so many looks.
  for (int i = 0; round % 2 == 0 && i < 20'000 && !files_of_a_compaction(overlay); ++i) {
    ::usleep(10);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));  // else it ended by itself, with an error
}

}  // namespace

TEST_CASE("a kill amid segments and compactions leaves every acknowledged change, in order") {
  const ScratchDirectory scratch;
  Random random(1);
  const TestBase base = make_base(scratch, random, kSize);
  const auto overlay = scratch / "overlay";
  create_overlay(overlay, kSize);
  void* const shared =
      ::mmap(nullptr, sizeof(Progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  Model model{base.content, {}, 0};
  std::uint64_t compacting = 0;
  bool compacted = false;
  for (std::uint64_t round = 1; round <= rounds(12); ++round) {
    CAPTURE(round);
    auto& progress = *new (shared) Progress;
    run_and_kill(base, overlay, round, 200 + random.below(2000), progress);
    const std::uint64_t done = progress.acknowledged.load();
    CAPTURE(done);
    compacting += files_of_a_compaction(overlay) ? 1 : 0;

    for (std::uint64_t n = 0; n < done; ++n) model.apply(change_of(round, n));
    // One change may have been on its way: marked or not, carried out or not.
    const Change last = change_of(round, done);
    Model marked = model;
    marked.apply(last);
    const auto order = order_of(open_log_cursor(overlay, {}));
    const bool as_the_model = order == model.order() || order == marked.order();
    CHECK(as_the_model);

    const auto disk = Disk::open(base.path, {}, overlay, small_files());
    const Bytes found = read_all(disk->device());
    const auto same = [&](const Bytes& other, std::uint64_t block) {
      const auto at = static_cast<std::ptrdiff_t>(block * kBlockSize);
      return std::equal(found.begin() + at, found.begin() + at + kBlockSize, other.begin() + at);
    };
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
      CAPTURE(block);
      const bool old_or_new = same(model.content, block) || same(marked.content, block);
      CHECK(old_or_new);
    }
    for (const SegmentView& view : open_segments(overlay, LogAccess::kReadOnly)) {
      compacted = compacted || view.compacted;
    }
    // The next round starts from what there is, with the marks that recovery has added.
    model.content = found;
    model.last.clear();
    for (const std::uint64_t block : order_of(disk->log().cursor({}))) model.mark({block, 1});
    disk->close();
  }
  ::munmap(shared, sizeof(Progress));
  CHECK(compacted);
  MESSAGE(compacting << " kills came amid a compaction");
}
