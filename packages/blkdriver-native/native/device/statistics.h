#pragma once

#include <array>
#include <atomic>

#include "device/block_device.h"

namespace reprise::blk {

/// What has passed through a disk since it was opened.
struct DeviceCounts {
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t writes = 0;
  std::uint64_t write_bytes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t trims = 0;
  std::uint64_t zeroes = 0;
  std::uint64_t errors = 0;
};

/// Counts what passes, failures too.
class Statistics final : public BlockLayer {
 public:
  using BlockLayer::BlockLayer;

  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override;
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override;
  std::error_code flush() override;
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override;
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override;

  DeviceCounts counts() const noexcept;

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void add(Counter& counter, std::uint64_t n = 1) noexcept {
    counter.fetch_add(n, std::memory_order_relaxed);
  }
  std::error_code counted(std::error_code error) noexcept;

  Counter reads_{0}, read_bytes_{0}, writes_{0}, write_bytes_{0};
  Counter flushes_{0}, trims_{0}, zeroes_{0}, errors_{0};
};

}  // namespace reprise::blk
