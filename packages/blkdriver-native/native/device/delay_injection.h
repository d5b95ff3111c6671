#pragma once

#include <chrono>
#include <thread>

#include "device/block_device.h"
#include "error.h"

namespace reprise::blk {

struct DelayOptions {
  std::chrono::microseconds read{0};
  std::chrono::microseconds write{0};  ///< also trim and zero
  std::chrono::microseconds flush{0};

  bool any() const noexcept { return (read + write + flush).count() > 0; }
};

/// Makes a quick disk slow, to try out what a guest does with one.
class DelayInjection final : public BlockLayer {
 public:
  DelayInjection(BlockDevice& below, const DelayOptions& options)
      : BlockLayer(below), options_(options) {}

  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override {
    if (options_.read.count() > 0) {
      // A slow disk sleeps, so who may not sleep must come again.
      if (wait == Wait::kNever) return os_error_code(std::errc::resource_unavailable_try_again);
      std::this_thread::sleep_for(options_.read);
    }
    return below().read(offset, out, wait);
  }
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override {
    std::this_thread::sleep_for(options_.write);
    return below().write(offset, data);
  }
  std::error_code flush() override {
    std::this_thread::sleep_for(options_.flush);
    return below().flush();
  }
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override {
    std::this_thread::sleep_for(options_.write);
    return below().trim(offset, length);
  }
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override {
    std::this_thread::sleep_for(options_.write);
    return below().zero(offset, length, options);
  }

 private:
  const DelayOptions options_;
};

}  // namespace reprise::blk
