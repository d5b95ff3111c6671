#pragma once

#include <condition_variable>
#include <mutex>

#include "device/block_device.h"

namespace reprise::blk::testing {

/// Lets no WRITE_ZEROES through until its gate is opened: a disk as slow as a test needs it.
class GateDevice final : public BlockLayer {
 public:
  using BlockLayer::BlockLayer;

  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override {
    {
      std::unique_lock lock(mutex_);
      ++waiting_;
      changed_.notify_all();
      changed_.wait(lock, [this] { return open_; });
      --waiting_;
      ++passed_;
    }
    return below().zero(offset, length, options);
  }

  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  bool is_open() {
    const std::lock_guard lock(mutex_);
    return open_;
  }
  void await_waiting(unsigned count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }
  unsigned passed() {
    const std::lock_guard lock(mutex_);
    return passed_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
  unsigned waiting_ = 0;
  unsigned passed_ = 0;
};

}  // namespace reprise::blk::testing
