#include "log/compaction.h"

#include <doctest/doctest.h>

#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "log/dirty_log.h"
#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

/// The slow, obvious answer: every block's last mark, in the order of those.
std::vector<std::uint64_t> last_write_order(const std::vector<Record>& records) {
  std::map<std::uint64_t, std::size_t> last;
  std::size_t time = 0;
  for (const Record& record : records) {
    for (std::uint32_t i = 0; is_mark(record.kind) && i < record.count; ++i) {
      last[record.target + i] = time++;
    }
  }
  std::map<std::size_t, std::uint64_t> by_time;
  for (const auto& [block, when] : last) by_time[when] = block;
  std::vector<std::uint64_t> order;
  for (const auto& [when, block] : by_time) order.push_back(block);
  return order;
}

std::vector<std::uint64_t> blocks_of(const std::vector<Record>& records) {
  std::vector<std::uint64_t> blocks;
  for (const Record& record : records) {
    for (std::uint32_t i = 0; is_mark(record.kind) && i < record.count; ++i) {
      blocks.push_back(record.target + i);
    }
  }
  return blocks;
}

}  // namespace

TEST_CASE("compaction keeps exactly each block's last mark, in order") {
  for (std::uint64_t seed = 1; seed <= rounds(20); ++seed) {
    CAPTURE(seed);
    const ScratchDirectory scratch;
    Random random(seed);
    constexpr std::uint64_t kBlocks = 300;
    const auto log =
        DirtyLog::open(scratch.path(), {.salt = 3, .block_count = kBlocks, .segment_bytes = 4096},
                       Trust::kEverything);
    for (int i = 0; i < 1000; ++i) {
      const std::uint64_t first = random.below(kBlocks);
      DirtyLog::Ticket ticket;
      REQUIRE_FALSE(log->mark(static_cast<RecordKind>(1 + random.below(3)), first,
                              1 + random.below(std::min<std::uint64_t>(20, kBlocks - first)),
                              ticket));
      log->complete(ticket);
      if (random.below(100) == 0) log->cut_epoch();
    }
    const auto before = read_log(log->cursor({}));
    log->close();
    const auto inputs = open_segments(scratch.path(), LogAccess::kReadOnly);
    const auto out = scratch / "out.cmp";
    write_compacted(inputs, kBlocks, {.first_sequence = 1, .epoch = 0, .salt = 3}, Numbering::kKeep,
                    out);
    auto segment = Segment::open(out, false);
    const std::size_t records = segment->capacity();
    const auto after = read_log(Cursor({{segment, records, 0, true}}, {}));
    CHECK(blocks_of(after) == last_write_order(before));
    std::uint64_t sequence = 0;
    for (const Record& record : after) {
      CHECK(record.sequence >= sequence);
      sequence = record.sequence;
    }
    const auto epochs = [](const std::vector<Record>& all) {
      return std::count_if(all.begin(), all.end(),
                           [](const Record& r) { return r.kind == RecordKind::kEpoch; });
    };
    CHECK(epochs(after) == epochs(before));
  }
}

TEST_CASE("a writer fills many segments while a compaction waits for a slow disk") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(
      scratch.path(),
      {.salt = 5, .block_count = 1 << 20, .segment_bytes = 4096, .compact_bytes = 256 << 10},
      Trust::kEverything);
  std::promise<void> begun;
  std::promise<void> end;
  std::once_flag once;
  log->enable_compaction([&] {
    std::call_once(once, [&] {
      begun.set_value();
      end.get_future().wait();
    });
    return std::error_code{};
  });
  auto written = std::async(std::launch::async, [&] {
    for (std::uint64_t i = 0; i < 20'000; ++i) {
      DirtyLog::Ticket ticket;
      if (log->mark(RecordKind::kWrite, i * 2, 1, ticket)) std::abort();
      log->complete(ticket);
      if (i == 12'000) begun.get_future().wait();
    }
  });
  CHECK(written.wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  CHECK(log->statistics().compactions == 0);
  end.set_value();
  written.get();
}

TEST_CASE("a log that is rewritten for ever stays small and keeps last-write order") {
  const ScratchDirectory scratch;
  constexpr std::uint64_t kBlocks = 500;
  const DirtyLogOptions options{
      .salt = 5, .block_count = kBlocks, .segment_bytes = 4096, .compact_bytes = 32 << 10};
  std::vector<Record> written;
  {
    const auto log = DirtyLog::open(scratch.path(), options, Trust::kEverything);
    log->enable_compaction([] { return std::error_code{}; });
    Random random(9);
    for (int i = 0; i < 60'000; ++i) {
      const std::uint64_t block = random.below(kBlocks / 2) * 2;  // never a run
      DirtyLog::Ticket ticket;
      REQUIRE_FALSE(log->mark(RecordKind::kWrite, block, 1, ticket));
      log->complete(ticket);
      written.push_back({0, block, 1, RecordKind::kWrite});
    }
    for (int i = 0; i < 500 && log->statistics().bytes > (96 << 10); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    CHECK(log->statistics().compactions > 0);
    CHECK(log->statistics().bytes <= (96 << 10));
  }
  const auto kept = read_log(open_log_cursor(scratch.path(), {}));
  CHECK(last_write_order(kept) == last_write_order(written));
}
