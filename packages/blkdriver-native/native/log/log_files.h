#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

#include "log/segment.h"

namespace reprise::blk {

/// A segment with the number of its records that a reader may see.
struct SegmentView {
  std::shared_ptr<Segment> segment;
  std::size_t records = 0;
  std::uint64_t ordinal = 0;
  bool compacted = false;
};

/// `log-<ordinal, 8 hex digits>` and `.seg`, or `.cmp` for a compacted one, which
/// stands for every segment up to its ordinal.
std::filesystem::path segment_path(const std::filesystem::path& dir, std::uint64_t ordinal,
                                   bool compacted);

/// A compaction that is still being written; it is worth nothing until renamed.
std::filesystem::path unfinished_compaction_path(const std::filesystem::path& dir);

enum class LogAccess {
  kReadOnly,
  kReadWrite,
  kAfterPowerLoss,  ///< as kReadWrite; the log ends at the first file without a valid header
};

/// The segments of a log, oldest first. Unless kReadOnly, files that a compaction
/// or a crash left behind are removed. Only the last may have fewer records than
/// its file has room for; anything else throws Error(kLogCorrupt).
std::vector<SegmentView> open_segments(const std::filesystem::path& dir, LogAccess access);

}  // namespace reprise::blk
