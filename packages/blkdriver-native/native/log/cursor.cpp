#include "log/cursor.h"

#include <algorithm>

namespace reprise::blk {
namespace {

constexpr std::size_t kBatchRecords = 4096;

Record read_valid(const SegmentView& view, const PackedRecord& packed) {
  const auto record = unpack(packed, view.segment->identity().salt);
  if (!record) {
    throw Error(ErrorCode::kLogCorrupt,
                "The dirty log file " + view.segment->path().string() +
                    " has a damaged record. Treat every block of the overlay as dirty, or restore "
                    "the overlay from a snapshot.",
                view.segment->path());
  }
  return *record;
}

/// The first record at or after `sequence`, by binary search: sequences never fall.
std::size_t lower_bound(const SegmentView& view, std::uint64_t sequence) {
  std::size_t low = 0;
  std::size_t high = view.records;
  while (low < high) {
    const std::size_t middle = low + (high - low) / 2;
    PackedRecord packed;
    view.segment->read(middle, std::span(&packed, 1));
    if (read_valid(view, packed).sequence < sequence) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

}  // namespace

Cursor::Cursor(std::vector<SegmentView> segments, CursorOptions options)
    : direction_(options.direction) {
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const SegmentView& view = segments[i];
    const bool ends_before =
        options.from_sequence > 0 && i + 1 < segments.size() &&
        segments[i + 1].segment->identity().first_sequence <= options.from_sequence;
    if (ends_before || view.segment->identity().first_sequence >= options.to_sequence) continue;
    const bool unbounded = options.to_sequence == std::numeric_limits<std::uint64_t>::max();
    const std::size_t begin =
        options.from_sequence == 0 ? 0 : lower_bound(view, options.from_sequence);
    const std::size_t end = unbounded ? view.records : lower_bound(view, options.to_sequence);
    if (begin < end) windows_.push_back({view, begin, end});
  }
  if (direction_ == Direction::kBackward) std::reverse(windows_.begin(), windows_.end());
}

std::size_t Cursor::next(std::span<Record> out) {
  std::size_t filled = 0;
  while (filled < out.size() && current_ < windows_.size()) {
    filled += next_in_window(windows_[current_], out.subspan(filled));
    if (windows_[current_].begin == windows_[current_].end) ++current_;
  }
  return filled;
}

std::size_t Cursor::next_in_window(Window& window, std::span<Record> out) {
  const std::size_t wanted = std::min({out.size(), window.end - window.begin, kBatchRecords});
  if (batch_.size() < wanted) batch_.resize(wanted);
  const auto batch = std::span(batch_).first(wanted);
  if (direction_ == Direction::kForward) {
    window.view.segment->read(window.begin, batch);
    window.begin += wanted;
    for (std::size_t i = 0; i < wanted; ++i) out[i] = read_valid(window.view, batch[i]);
  } else {
    window.end -= wanted;
    window.view.segment->read(window.end, batch);
    for (std::size_t i = 0; i < wanted; ++i) {
      out[i] = read_valid(window.view, batch[wanted - 1 - i]);
    }
  }
  return wanted;
}

}  // namespace reprise::blk
