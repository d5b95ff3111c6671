#pragma once

#include <algorithm>
#include <cstdint>

namespace reprise::blk {

/// What the driver tracks and copies as one: 4 KiB at a multiple of 4 KiB.
inline constexpr std::uint64_t kBlockSize = 4096;

struct BlockRange {
  std::uint64_t first = 0;
  std::uint64_t count = 0;

  std::uint64_t end() const noexcept { return first + count; }
  bool empty() const noexcept { return count == 0; }
  std::uint64_t offset_bytes() const noexcept { return first * kBlockSize; }
  std::uint64_t length_bytes() const noexcept { return count * kBlockSize; }
};

inline std::uint64_t blocks_for(std::uint64_t size_bytes) noexcept {
  return size_bytes / kBlockSize + (size_bytes % kBlockSize != 0 ? 1 : 0);
}

/// Every block of which the byte range touches at least one byte.
inline BlockRange blocks_touched(std::uint64_t offset, std::uint64_t length) noexcept {
  if (length == 0) return {};
  const std::uint64_t first = offset / kBlockSize;
  return {first, blocks_for(offset + length) - first};
}

/// Every block that lies wholly in the byte range. A disk's short last block
/// counts as whole when the range reaches the end of the disk.
inline BlockRange blocks_inside(std::uint64_t offset, std::uint64_t length,
                                std::uint64_t disk_bytes) noexcept {
  const std::uint64_t end = offset + length;
  const std::uint64_t first = blocks_for(offset);
  const std::uint64_t last = end == disk_bytes ? blocks_for(end) : end / kBlockSize;
  return last > first ? BlockRange{first, last - first} : BlockRange{};
}

}  // namespace reprise::blk
