// What the log says when changes of one block overlap: each test decides who is first.
#include "device/dirty_tracking.h"

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;

namespace {

constexpr std::uint64_t kSize = 64 * kBlockSize;
constexpr std::uint64_t kBlock = 9;

/// Holds one call back until it is told to go on.
class Gatekeeper final : public BlockLayer {
 public:
  using BlockLayer::BlockLayer;

  void hold_next_write() { hold_write_ = true; }
  void hold_next_trim() { hold_trim_ = true; }
  void wait_until_held() { held_.get_future().wait(); }
  /// It goes on, or fails with `error` and changes nothing.
  void let_go(std::error_code error = {}) { let_go_.set_value(error); }

  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override {
    if (auto error = pass(hold_write_)) return error;
    return below().write(offset, data);
  }
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override {
    if (auto error = pass(hold_trim_)) return error;
    return below().trim(offset, length);
  }

 private:
  std::error_code pass(std::atomic<bool>& hold) {
    if (!hold.exchange(false)) return {};
    held_.set_value();
    return let_go_.get_future().get();
  }

  std::atomic<bool> hold_write_{false};
  std::atomic<bool> hold_trim_{false};
  std::promise<void> held_;
  std::promise<std::error_code> let_go_;
};

struct TrackedDisk {
  explicit TrackedDisk(const ScratchDirectory& scratch)
      : base(make_base(scratch, random, kSize)), raw(RawFile::open(base.path)) {
    create_overlay(scratch / "overlay", kSize);
    overlay.emplace(Overlay::open_writable(scratch / "overlay", {}));
    bottom.emplace(raw, std::span<const Overlay>{}, &*overlay, kSize);
    gate.emplace(*bottom);
    device.emplace(*gate, *overlay);
  }

  RecordKind last_mark(std::uint64_t block) {
    RecordKind kind = RecordKind::kRevert;
    for (const Record& record : read_log(overlay->log()->cursor({}))) {
      const bool names =
          is_mark(record.kind) && record.target <= block && block < record.target + record.count;
      if (names) kind = record.kind;
    }
    return kind;
  }

  Random random{7};
  TestBase base;
  RawFile raw;
  std::optional<Overlay> overlay;
  std::optional<CopyOnWrite> bottom;
  std::optional<Gatekeeper> gate;
  std::optional<DirtyTracking> device;
};

/// As the machine would find it after a power loss.
Bytes after_power_loss(const ScratchDirectory& scratch, const TestBase& base) {
  std::filesystem::copy(scratch / "overlay", scratch / "crashed");
  DiskOptions options;
  options.overlay.assume_power_loss = true;
  return read_all(Disk::open(base.path, {}, scratch / "crashed", options)->device());
}

Bytes block_of(const Bytes& disk, std::uint64_t block) {
  const auto at = disk.begin() + static_cast<std::ptrdiff_t>(block * kBlockSize);
  return {at, at + static_cast<std::ptrdiff_t>(kBlockSize)};
}

}  // namespace

TEST_CASE("a write that is overtaken by a trim is data in the log and after a power loss, too") {
  const ScratchDirectory scratch;
  TrackedDisk disk(scratch);
  const Bytes data = random_bytes(disk.random, kBlockSize);
  disk.gate->hold_next_write();
  std::thread writer([&] {
    if (disk.device->write(kBlock * kBlockSize, data)) std::abort();
  });
  disk.gate->wait_until_held();  // marked, not written
  REQUIRE_FALSE(disk.device->trim(kBlock * kBlockSize, kBlockSize));
  disk.gate->let_go();
  writer.join();
  REQUIRE_FALSE(disk.device->flush());
  CHECK(block_of(read_all(*disk.device), kBlock) == data);
  CHECK(disk.last_mark(kBlock) == RecordKind::kWrite);
  CHECK(block_of(after_power_loss(scratch, disk.base), kBlock) == data);
}

TEST_CASE("a trim that is overtaken by a write is zeros in the log and after a power loss, too") {
  const ScratchDirectory scratch;
  TrackedDisk disk(scratch);
  const Bytes data = random_bytes(disk.random, kBlockSize);
  disk.gate->hold_next_trim();
  std::thread trimmer([&] {
    if (disk.device->trim((kBlock - 2) * kBlockSize, 5 * kBlockSize)) std::abort();
  });
  disk.gate->wait_until_held();
  REQUIRE_FALSE(disk.device->write(kBlock * kBlockSize, data));
  disk.gate->let_go();
  trimmer.join();
  REQUIRE_FALSE(disk.device->flush());
  CHECK(block_of(read_all(*disk.device), kBlock) == Bytes(kBlockSize));
  CHECK(disk.last_mark(kBlock) == RecordKind::kZero);
  CHECK(block_of(after_power_loss(scratch, disk.base), kBlock) == Bytes(kBlockSize));
}

TEST_CASE("a write that fails during a flush is not made durable as data that was never written") {
  const ScratchDirectory scratch;
  TrackedDisk disk(scratch);
  const Bytes data = random_bytes(disk.random, kBlockSize);
  disk.gate->hold_next_write();
  std::thread writer([&] {
    if (!disk.device->write(kBlock * kBlockSize, data)) std::abort();
  });
  disk.gate->wait_until_held();
  auto flushed = std::async(std::launch::async, [&] { return disk.device->flush(); });
  // The flush has begun when it no longer lets runs grow; it then waits for the write.
  CHECK(flushed.wait_for(std::chrono::milliseconds(50)) == std::future_status::timeout);
  disk.gate->let_go(std::make_error_code(std::errc::io_error));
  writer.join();
  REQUIRE_FALSE(flushed.get());
  CHECK(after_power_loss(scratch, disk.base) == disk.base.content);
}

TEST_CASE("changes of one kind beside each other cost no second mark") {
  const ScratchDirectory scratch;
  TrackedDisk disk(scratch);
  const Bytes data = random_bytes(disk.random, kBlockSize);
  disk.gate->hold_next_write();
  std::thread writer([&] {
    if (disk.device->write(kBlock * kBlockSize, data)) std::abort();
  });
  disk.gate->wait_until_held();
  REQUIRE_FALSE(disk.device->write(20 * kBlockSize, data));
  disk.gate->let_go();
  writer.join();
  REQUIRE_FALSE(disk.device->trim(0, kBlockSize));
  CHECK(read_log(disk.overlay->log()->cursor({})).size() == 3);
}
