// Many threads on one disk, each with blocks of its own and sectors of shared blocks.
#include <doctest/doctest.h>

#include <thread>

#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

TEST_CASE("writers of different sectors of one block do not disturb each other") {
  const ScratchDirectory scratch;
  Random random(2);
  constexpr std::size_t kBlocks = 200;
  constexpr std::size_t kSectors = 8;
  const TestBase base = make_base(scratch, random, kBlocks * kBlockSize);
  create_overlay(scratch / "overlay", kBlocks * kBlockSize);
  DiskOptions options;
  options.overlay.log_segment_bytes = 4096;
  options.overlay.log_compact_bytes = 64 << 10;
  const auto disk = Disk::open(base.path, {}, scratch / "overlay", options);
  std::vector<Bytes> sectors(kBlocks * kSectors);
  for (auto& sector : sectors) sector = random_bytes(random, 512);

  std::vector<std::thread> writers;
  for (std::size_t t = 0; t < kSectors; ++t) {
    writers.emplace_back([&, t] {
      for (std::size_t block = 0; block < kBlocks; ++block) {
        const std::size_t i = block * kSectors + t;
        if (disk->device().write(i * 512, sectors[i])) std::abort();
      }
    });
  }
  std::thread flusher([&] {
    for (int i = 0; i < 20; ++i) {
      if (disk->device().flush()) std::abort();
    }
  });
  for (auto& writer : writers) writer.join();
  flusher.join();

  Bytes expected;
  for (const auto& sector : sectors) expected.insert(expected.end(), sector.begin(), sector.end());
  CHECK(read_all(disk->device()) == expected);
  disk->close();
}

TEST_CASE("concurrent changes with failures leave a log that says what the presence map says") {
  const ScratchDirectory scratch;
  Random random(3);
  constexpr std::size_t kSize = 64 * kBlockSize;
  const TestBase base = make_base(scratch, random, kSize);
  create_overlay(scratch / "overlay", kSize);
  RawFile raw = RawFile::open(base.path);
  Overlay overlay = Overlay::open_writable(scratch / "overlay", {});
  CopyOnWrite bottom(raw, {}, &overlay, kSize);
  FaultInjection faulty(bottom, {.write_rate = 0.3, .seed = 4});
  DirtyTracking device(faulty, overlay);
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      Random mine(t);
      const Bytes data(3 * kBlockSize, std::byte{7});
      for (int i = 0; i < 400; ++i) {
        const std::uint64_t offset = mine.below(60) * kBlockSize;
        const std::uint64_t length = (1 + mine.below(3)) * kBlockSize;
        // Failing is the point; what counts is what the log says afterwards.
        if (mine.below(3) == 0) {
          (void)device.trim(offset, length);
        } else {
          (void)device.write(offset, std::span(data).first(length));
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<RecordKind> last(64, RecordKind::kRevert);
  for (const Record& record : read_log(overlay.log()->cursor({}))) {
    for (std::uint32_t i = 0; is_mark(record.kind) && i < record.count; ++i) {
      last[record.target + i] = record.kind;
    }
  }
  for (std::uint64_t block = 0; block < 64; ++block) {
    CAPTURE(block);
    const RecordKind kind = last[block] == RecordKind::kTrim ? RecordKind::kZero : last[block];
    CHECK(kind == record_kind_of(overlay.presence().get(block)));
  }
  overlay.close();
}
