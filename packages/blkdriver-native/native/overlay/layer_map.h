#pragma once

#include <sys/mman.h>

#include <cstdint>
#include <span>

#include "device/block_range.h"
#include "overlay/overlay.h"

namespace reprise::blk {

/// Which of the read-only layers holds a block: one byte a block (256 KiB per GiB
/// of disk), so that a chain of 64 layers is as quick to read as one. Stretches
/// that no layer holds take no memory.
class LayerMap {
 public:
  static constexpr std::uint8_t kBase = 0;
  static constexpr std::uint8_t kZero = 255;
  static constexpr std::size_t kMostLayers = 64;

  /// `layers` oldest first; values 1..64 in the map are their places, from 1.
  LayerMap(std::span<const Overlay> layers, std::uint64_t block_count);
  LayerMap(const LayerMap&) = delete;
  LayerMap& operator=(const LayerMap&) = delete;
  ~LayerMap();

  std::uint8_t operator[](std::uint64_t block) const noexcept {
    return map_ == nullptr ? kBase : map_[block];
  }
  std::uint64_t run_length(std::uint64_t block, std::uint64_t limit) const noexcept;

 private:
  std::uint8_t* map_ = nullptr;  // none where there are no layers
  std::uint64_t block_count_;
};

}  // namespace reprise::blk
