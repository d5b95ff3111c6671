#pragma once

#include <array>
#include <cstdint>
#include <shared_mutex>

#include "device/block_range.h"

namespace reprise::blk {

/// Keeps the first write of a block apart from what reads the block to write it
/// back (a partial write copying up) and from what discards it. Writers of whole
/// blocks share, the others are alone. A block that already has data needs no gate.
class BlockGate {
 public:
  /// A gate covers 64 neighbouring blocks; every `kGates * 64` blocks share one.
  static constexpr std::uint64_t kBlocksPerGate = 64;
  static constexpr std::size_t kGates = 256;

  std::shared_mutex& gate_of(std::uint64_t block) noexcept {
    return gates_[block / kBlocksPerGate % kGates];
  }

  /// The part of `range` that its first block's gate covers.
  static BlockRange first_part(BlockRange range) noexcept {
    const std::uint64_t end = (range.first / kBlocksPerGate + 1) * kBlocksPerGate;
    return {range.first, std::min(range.end(), end) - range.first};
  }

 private:
  std::array<std::shared_mutex, kGates> gates_;
};

}  // namespace reprise::blk
