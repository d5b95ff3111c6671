#pragma once

#include <atomic>
#include <cstdint>

#include "device/block_device.h"
#include "error.h"

namespace reprise::blk {

/// Which share of calls fail, 0 to 1. The draws come from `seed`, so a single
/// connection sees the same faults in every run.
struct FaultOptions {
  double read_rate = 0;
  double write_rate = 0;  ///< also trim and zero
  double flush_rate = 0;
  std::errc error = std::errc::io_error;
  std::uint64_t seed = 1;

  bool any() const noexcept { return read_rate > 0 || write_rate > 0 || flush_rate > 0; }
};

/// Fails calls before they reach the layer below, to try out what a guest does then.
class FaultInjection final : public BlockLayer {
 public:
  FaultInjection(BlockDevice& below, const FaultOptions& options)
      : BlockLayer(below), options_(options), state_(options.seed) {}

  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override;
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override;
  std::error_code flush() override;
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override;
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override;

 private:
  std::error_code draw(double rate) noexcept;

  const FaultOptions options_;
  std::atomic<std::uint64_t> state_;
};

}  // namespace reprise::blk
