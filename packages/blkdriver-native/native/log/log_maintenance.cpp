// The dirty log's background thread: the next segment before it is needed, and compaction.
#include <algorithm>

#include "log/compaction.h"
#include "log/dirty_log.h"

namespace reprise::blk {
namespace {

constexpr std::size_t kLargestSegment = 64 << 20;

}  // namespace

void DirtyLog::enable_compaction(FlushData flush_data) {
  const std::lock_guard lock(mutex_);
  compaction_flush_ = std::move(flush_data);
  work_.notify_one();
}

void DirtyLog::maintain() {
  std::unique_lock lock(mutex_);
  maintenance_id_ = std::this_thread::get_id();
  while (!stopping_) {
    if (spare_wanted_) {
      prepare_spare(lock);
    } else if (compaction_due()) {
      compact(lock);
    } else {
      work_.wait(lock);
    }
  }
  spare_changed_.notify_all();
}

/// Segments grow with the log, so that their number stays small.
std::size_t DirtyLog::next_segment_bytes() const {
  std::uint64_t total = 0;
  for (const SegmentView& view : sealed_) total += view.segment->bytes();
  const std::size_t wanted = std::max<std::size_t>(options_.segment_bytes, total / 4);
  return std::min(wanted, std::max(kLargestSegment, options_.segment_bytes));
}

void DirtyLog::prepare_spare(std::unique_lock<std::mutex>& lock) {
  const std::uint64_t ordinal = active_.ordinal + 1;
  const std::size_t bytes = next_segment_bytes();
  lock.unlock();
  std::shared_ptr<Segment> segment;
  std::error_code error;
  const auto path = segment_path(dir_, ordinal, false);
  try {
    segment = Segment::prepare(path, bytes);
    sync_directory(dir_);
  } catch (const Error& failure) {
    error = {failure.os_error(), std::generic_category()};
    std::error_code ignored;  // the next try truncates what stays
    std::filesystem::remove(path, ignored);
  }
  lock.lock();
  spare_ = std::move(segment);
  spare_ordinal_ = ordinal;
  spare_error_ = error;
  spare_wanted_ = false;
  spare_changed_.notify_all();
}

bool DirtyLog::compaction_due() const {
  if (!compaction_flush_ || poisoned_ || sealed_.size() <= compaction_floor_) return false;
  std::uint64_t fresh = 0;
  std::uint64_t compacted = 0;
  for (const SegmentView& view : sealed_) {
    (view.compacted ? compacted : fresh) += view.segment->bytes();
  }
  return fresh >= std::max(options_.compact_bytes, compacted);
}

void DirtyLog::compact(std::unique_lock<std::mutex>& lock) {
  const std::vector<SegmentView> inputs = sealed_;
  const auto flush_data = compaction_flush_;
  const std::uint64_t end = active_.segment->identity().first_sequence;
  const bool durable = durable_sequence_ >= end;
  lock.unlock();
  std::error_code error = durable ? std::error_code{} : flush(flush_data);
  SegmentView merged;
  if (!error) {
    try {
      const auto unfinished = unfinished_compaction_path(dir_);
      auto identity = inputs.front().segment->identity();
      write_compacted(inputs, options_.block_count, identity, Numbering::kKeep, unfinished);
      const std::uint64_t ordinal = inputs.back().ordinal;
      const auto path = segment_path(dir_, ordinal, true);
      std::filesystem::rename(unfinished, path);
      sync_directory(dir_);
      auto segment = Segment::open(path, false);
      const std::size_t records = segment->capacity();
      merged = {std::move(segment), records, ordinal, true};
      for (const SegmentView& view : inputs) {
        if (view.segment->path() != path) std::filesystem::remove(view.segment->path());
      }
    } catch (const Error& failure) {
      error = {failure.os_error(), std::generic_category()};
    } catch (const std::filesystem::filesystem_error& failure) {
      error = failure.code();
    }
  }
  lock.lock();
  if (merged.segment) {
    sealed_.erase(sealed_.begin(), sealed_.begin() + static_cast<std::ptrdiff_t>(inputs.size()));
    sealed_.insert(sealed_.begin(), std::move(merged));
    ++compactions_;
  }
  // Without room to compact the log only grows; the next full segment tries again.
  compaction_floor_ = error ? sealed_.size() : 0;
}

}  // namespace reprise::blk
