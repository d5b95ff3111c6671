#include "log/dirty_log.h"

#include <doctest/doctest.h>
#include <fcntl.h>

#include <thread>

#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

constexpr DirtyLogOptions kOptions{.salt = 11, .block_count = 100'000, .segment_bytes = 4096};

void mark(DirtyLog& log, std::uint64_t first, std::uint64_t count = 1,
          RecordKind kind = RecordKind::kWrite) {
  DirtyLog::Ticket ticket;
  REQUIRE_FALSE(log.mark(kind, first, count, ticket));
  log.complete(ticket);
}

std::error_code no_data() {
  return {};
}

std::vector<std::uint64_t> targets(const std::vector<Record>& records) {
  std::vector<std::uint64_t> result;
  for (const Record& record : records) result.push_back(record.target);
  return result;
}

}  // namespace

TEST_CASE("marks keep their order, and a sequence of blocks becomes one record") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  for (const std::uint64_t block : {5, 6, 7, 3, 8, 8}) mark(*log, block);
  mark(*log, 9, 2, RecordKind::kTrim);  // follows 8, but is of another kind
  const auto records = read_log(log->cursor({}));
  CHECK(targets(records) == std::vector<std::uint64_t>{5, 3, 8, 8, 9});
  CHECK(records[0].count == 3);
  CHECK(records[4].kind == RecordKind::kTrim);
}

TEST_CASE("a log over many segments reads the same forward, backward and after opening") {
  const ScratchDirectory scratch;
  std::vector<std::uint64_t> expected;
  {
    const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
    for (std::uint64_t i = 0; i < 2000; ++i) {
      expected.push_back(i * 7919 % 99'991);
      mark(*log, expected.back());
    }
    CHECK(targets(read_log(log->cursor({}))) == expected);
    auto backward = targets(read_log(log->cursor({.direction = Direction::kBackward})));
    std::reverse(backward.begin(), backward.end());
    CHECK(backward == expected);
    const auto part = read_log(log->cursor({.from_sequence = 501, .to_sequence = 1200}));
    CHECK(part.front().sequence == 501);
    CHECK(part.back().sequence == 1199);
    CHECK(part.size() == 699);
  }
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  CHECK(targets(read_log(log->cursor({}))) == expected);
  mark(*log, 1);
  CHECK(read_log(log->cursor({})).back().sequence == 2001);
}

TEST_CASE("a torn record at the end is as if it had never been written") {
  const ScratchDirectory scratch;
  {
    const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
    for (std::uint64_t i = 0; i < 10; ++i) mark(*log, i * 10);
  }
  const UniqueFd fd = open_file(segment_path(scratch.path(), 0, false), O_RDWR);
  const std::byte junk[17] = {std::byte{11}, std::byte{1}};
  REQUIRE_FALSE(write_at(fd.get(), junk, Segment::kHeaderBytes + 10 * Segment::kRecordBytes));
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  mark(*log, 555);
  const auto records = read_log(log->cursor({}));
  REQUIRE(records.size() == 11);
  CHECK(records.back().target == 555);
}

TEST_CASE("a damaged record inside the log is an error, not silence") {
  const ScratchDirectory scratch;
  {
    const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
    for (std::uint64_t i = 0; i < 500; ++i) mark(*log, i * 10);
  }
  const UniqueFd fd = open_file(segment_path(scratch.path(), 0, false), O_RDWR);
  const std::byte junk[1] = {std::byte{0xff}};
  REQUIRE_FALSE(write_at(fd.get(), junk, Segment::kHeaderBytes + 3 * Segment::kRecordBytes + 9));
  CHECK_THROWS_AS(read_log(open_log_cursor(scratch.path(), {})), Error);
}

TEST_CASE("an epoch ends a run and survives opening") {
  const ScratchDirectory scratch;
  {
    const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
    mark(*log, 1);
    CHECK(log->cut_epoch().epoch == 1);
    mark(*log, 2);
    CHECK(read_log(log->cursor({})).size() == 3);
  }
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  CHECK(log->cut_epoch().epoch == 2);
}

TEST_CASE("an epoch that was cut and flushed is not handed out again after a power loss") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  mark(*log, 1);
  REQUIRE_FALSE(log->flush(no_data));
  CHECK(log->cut_epoch().epoch == 1);
  REQUIRE_FALSE(log->flush(no_data));
  const ScratchDirectory copy;
  std::filesystem::copy(scratch.path(), copy.path());
  const auto again = DirtyLog::open(copy.path(), kOptions, Trust::kFlushed);
  CHECK(again->cut_epoch().epoch == 2);
}

TEST_CASE("a flush waits for marks whose data is on its way, and covers them") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  DirtyLog::Ticket ticket;
  REQUIRE_FALSE(log->mark(RecordKind::kWrite, 4, 1, ticket));
  std::atomic<bool> data_written{false};
  std::atomic<bool> seen_written{false};
  std::thread flusher([&] {
    const auto error = log->flush([&]() -> std::error_code {
      seen_written = data_written.load();
      return {};
    });
    CHECK_FALSE(error);
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  data_written = true;
  log->complete(ticket);
  flusher.join();
  CHECK(seen_written);
  CHECK(log->statistics().durable_sequence == 2);
}

TEST_CASE("a second flush without a write costs nothing, a failed one is never forgotten") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  mark(*log, 1);
  int flushes = 0;
  const auto count = [&] { return ++flushes, std::error_code{}; };
  REQUIRE_FALSE(log->flush(count));
  REQUIRE_FALSE(log->flush(count));
  CHECK(flushes == 1);
  mark(*log, 2);
  CHECK(log->flush([] { return std::make_error_code(std::errc::io_error); }));
  CHECK(log->flush(no_data));
}

TEST_CASE("a run never grows past a flush that covers it") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  mark(*log, 1);
  REQUIRE_FALSE(log->flush(no_data));
  mark(*log, 2);
  const auto records = read_log(log->cursor({}));
  REQUIRE(records.size() == 3);
  CHECK(records[0].count == 1);
}

TEST_CASE("marks of several threads are all there while cursors walk") {
  const ScratchDirectory scratch;
  const auto log = DirtyLog::open(scratch.path(), kOptions, Trust::kEverything);
  constexpr std::uint64_t kMarks = 3000;
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < kMarks; ++i) {
        DirtyLog::Ticket ticket;
        if (log->mark(RecordKind::kWrite, t * 30'000 + i * 2, 1, ticket)) std::abort();
        log->complete(ticket);
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    std::uint64_t last = 0;
    for (const Record& record : read_log(log->cursor({}))) {
      CHECK(record.sequence > last);
      last = record.sequence;
    }
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::uint64_t> next(3, 0);
  for (const Record& record : read_log(log->cursor({}))) {
    const std::uint64_t t = record.target / 30'000;
    CHECK(record.target == t * 30'000 + 2 * next[t]++);
  }
  CHECK(next == std::vector<std::uint64_t>(3, kMarks));
}
