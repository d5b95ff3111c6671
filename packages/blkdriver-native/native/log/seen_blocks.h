#pragma once

#include <cstdint>
#include <vector>

namespace reprise::blk {

/// Blocks whose newest mark is already known, as a log is read backward: one bit
/// a block, 32 KiB per GiB of disk.
class SeenBlocks {
 public:
  explicit SeenBlocks(std::uint64_t blocks) : words_((blocks + 63) / 64), blocks_(blocks) {}

  /// True the first time. A damaged target must not index past the end: false there.
  bool insert(std::uint64_t block) noexcept {
    if (block >= blocks_) return false;
    std::uint64_t& word = words_[block / 64];
    const std::uint64_t bit = std::uint64_t{1} << (block % 64);
    const bool fresh = (word & bit) == 0;
    word |= bit;
    return fresh;
  }

 private:
  std::vector<std::uint64_t> words_;
  std::uint64_t blocks_;
};

}  // namespace reprise::blk
