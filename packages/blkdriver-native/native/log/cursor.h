#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "log/log_files.h"

namespace reprise::blk {

enum class Direction { kForward, kBackward };

struct CursorOptions {
  Direction direction = Direction::kForward;
  std::uint64_t from_sequence = 0;                                        ///< inclusive
  std::uint64_t to_sequence = std::numeric_limits<std::uint64_t>::max();  ///< exclusive
};

/// Walks the records that were there when it was made, while more are appended
/// and while compaction replaces the files under it. Holds one batch in memory.
class Cursor {
 public:
  Cursor(std::vector<SegmentView> segments, CursorOptions options);

  /// Fills `out` and says how many; 0 at the end. Throws Error(kLogCorrupt).
  std::size_t next(std::span<Record> out);

 private:
  struct Window {
    SegmentView view;
    std::size_t begin;
    std::size_t end;
  };

  std::size_t next_in_window(Window& window, std::span<Record> out);

  Direction direction_;
  std::vector<Window> windows_;  // in the order of the walk
  std::size_t current_ = 0;
  std::vector<PackedRecord> batch_;
};

}  // namespace reprise::blk
