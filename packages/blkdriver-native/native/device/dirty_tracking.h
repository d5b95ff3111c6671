#pragma once

#include <atomic>
#include <mutex>

#include "device/block_device.h"
#include "overlay/overlay.h"

namespace reprise::blk {

/// Marks every block in the dirty log before it changes below, and turns a flush
/// into a durable point of data and log together.
class DirtyTracking final : public BlockLayer {
 public:
  DirtyTracking(BlockDevice& below, Overlay& overlay)
      : BlockLayer(below), log_(*overlay.log()), presence_(overlay.presence()) {}

  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override;
  std::error_code flush() override;
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override;
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override;

 private:
  template <typename Change>
  std::error_code tracked(RecordKind kind, BlockRange range, Change&& change);
  std::error_code correct(BlockRange range);

  DirtyLog& log_;
  const PresenceMap& presence_;
  std::atomic<std::uint64_t> corrections_{0};  // begun and ended: odd while one is made
  std::mutex correcting_;
};

}  // namespace reprise::blk
