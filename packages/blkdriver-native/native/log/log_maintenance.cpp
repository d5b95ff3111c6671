// The dirty log's background threads: the next segment before it is needed, and compaction.
#include <algorithm>
#include <cerrno>

#include "log/compaction.h"
#include "log/dirty_log.h"

namespace reprise::blk {
namespace {

constexpr std::size_t kLargestSegment = 64 << 20;

}  // namespace

void DirtyLog::enable_compaction(FlushData flush_data) {
  const std::lock_guard lock(mutex_);
  compaction_flush_ = std::move(flush_data);
  compaction_work_.notify_one();
}

void DirtyLog::keep_spare() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (spare_wanted_) {
      prepare_spare(lock);
    } else {
      spare_work_.wait(lock);
    }
  }
}

void DirtyLog::keep_compact() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (compaction_due()) {
      compact(lock);
    } else {
      compaction_work_.wait(lock);
    }
  }
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

/// How often what was sealed since the last compaction is as much as calls for one.
std::uint64_t DirtyLog::backlog() const {
  if (sealed_.size() <= compaction_floor_) return 0;
  std::uint64_t fresh = 0;
  std::uint64_t compacted = 0;
  for (const SegmentView& view : sealed_) {
    (view.compacted ? compacted : fresh) += view.segment->bytes();
  }
  return fresh / std::max<std::uint64_t>({options_.compact_bytes, compacted, 1});
}

/// Replaces the files of `inputs` by one.
SegmentView DirtyLog::merge(const std::vector<SegmentView>& inputs) const {
  const auto unfinished = unfinished_compaction_path(dir_);
  const auto written =
      write_compacted(inputs, options_.block_count, inputs.front().segment->identity(),
                      Numbering::kKeep, unfinished);
  // Before it takes the place of good files, which it cannot be taken back from.
  const auto check = Segment::open(unfinished, false);
  if (!check || check->capacity() != written.records) {
    throw Error(ErrorCode::kIoFailed,
                "What was written to " + unfinished.string() +
                    " does not read back. Check the disk that it stands on.",
                unfinished, EIO);
  }
  const std::uint64_t ordinal = inputs.back().ordinal;
  const auto path = segment_path(dir_, ordinal, true);
  std::filesystem::rename(unfinished, path);
  sync_directory(dir_);
  check->moved_to(path);
  for (const SegmentView& view : inputs) {
    if (view.segment->path() != path) std::filesystem::remove(view.segment->path());
  }
  return {check, check->capacity(), ordinal, true};
}

void DirtyLog::compact(std::unique_lock<std::mutex>& lock) {
  const std::vector<SegmentView> inputs = sealed_;
  const auto flush_data = compaction_flush_;
  const std::uint64_t end = active_.segment->identity().first_sequence;
  const bool durable = durable_sequence_ >= end;
  compacting_ = true;
  lock.unlock();
  std::error_code error = durable ? std::error_code{} : flush(flush_data);
  SegmentView merged;
  if (!error) {
    try {
      merged = merge(inputs);
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
  compacting_ = false;
  overfull_ = false;
  resumed_.notify_all();
}

}  // namespace reprise::blk
