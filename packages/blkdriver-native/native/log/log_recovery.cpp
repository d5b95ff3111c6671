// How a dirty log is opened: see "Recovery" in docs/formats/dirty-log.md.
#include <algorithm>

#include "log/dirty_log.h"

namespace reprise::blk {
namespace {

/// After the machine went down, sequences restart this far above any that was
/// seen, because one that was handed out may have been lost.
constexpr std::uint64_t kSequenceGap = std::uint64_t{1} << 32;

constexpr std::size_t kBatch = 4096;

struct Position {
  std::size_t segment = 0;
  std::size_t record = 0;
};

}  // namespace

std::unique_ptr<DirtyLog> DirtyLog::open(const std::filesystem::path& dir,
                                         const DirtyLogOptions& options, Trust trust) {
  std::unique_ptr<DirtyLog> log(new DirtyLog(dir, options));
  log->recover(trust);
  log->spare_thread_ = std::thread([raw = log.get()] { raw->keep_spare(); });
  log->compaction_thread_ = std::thread([raw = log.get()] { raw->keep_compact(); });
  return log;
}

void DirtyLog::recover(Trust trust) {
  sealed_ = open_segments(
      dir_, trust == Trust::kFlushed ? LogAccess::kAfterPowerLoss : LogAccess::kReadWrite);
  for (const SegmentView& view : sealed_) {
    if (view.segment->identity().salt != options_.salt) {
      throw Error(ErrorCode::kLogCorrupt,
                  "The dirty log file " + view.segment->path().string() +
                      " belongs to another overlay. Restore the overlay from a snapshot.",
                  view.segment->path());
    }
  }
  next_sequence_ = trust == Trust::kFlushed ? drop_unflushed() : 1;
  if (!sealed_.empty()) {
    const Segment::Identity& newest = sealed_.back().segment->identity();
    next_sequence_ = std::max(next_sequence_, newest.first_sequence);
    epoch_ = newest.epoch;
    std::vector<Record> batch(kBatch);
    Cursor tail({sealed_.back()}, {});
    while (const std::size_t n = tail.next(batch)) {
      next_sequence_ = std::max(next_sequence_, batch[n - 1].sequence + 1);
      for (std::size_t i = 0; i < n; ++i) {
        if (batch[i].kind == RecordKind::kEpoch) epoch_ = batch[i].target;
      }
    }
  }
  marked_sequence_ = next_sequence_ - 1;  // the first flush makes all of it durable
  for (const SegmentView& view : sealed_) unsynced_.push_back(view.segment);
  start_first_segment();
}

/// Cuts the log where its last durable flush record says that durability ends.
/// Returns the sequence to go on with.
std::uint64_t DirtyLog::drop_unflushed() {
  std::uint64_t durable = 0;
  std::uint64_t highest = 0;
  Position cut;  // the first record at or above `durable`
  std::vector<PackedRecord> batch(kBatch);

  const auto scan = [&](auto&& visit) {
    for (std::size_t s = 0; s < sealed_.size(); ++s) {
      const SegmentView& view = sealed_[s];
      for (std::size_t at = 0; at < view.segment->capacity();) {
        const std::size_t n = std::min(kBatch, view.segment->capacity() - at);
        view.segment->read(at, std::span(batch).first(n));
        for (std::size_t i = 0; i < n; ++i) {
          const auto record = unpack(batch[i], options_.salt);
          if (!record || !visit(*record, Position{s, at + i})) return;
        }
        at += n;
      }
    }
  };
  scan([&](const Record& record, Position) {
    highest = std::max(highest, record.sequence);
    if (record.kind == RecordKind::kFlush) durable = record.target;
    return true;
  });
  scan([&](const Record& record, Position at) {
    if (record.sequence >= durable) return false;
    cut = {at.segment, at.record + 1};
    return true;
  });

  const std::size_t kept = cut.record == 0 ? 0 : cut.segment + 1;
  while (sealed_.size() > kept) {
    std::filesystem::remove(sealed_.back().segment->path());
    sealed_.pop_back();
  }
  if (!sealed_.empty()) {
    sealed_.back().records = cut.record;
    if (sealed_.back().compacted && cut.record < sealed_.back().segment->capacity()) {
      // A compaction covers durable records only, so a cut inside one is damage.
      throw Error(ErrorCode::kLogCorrupt,
                  "The compacted dirty log in " + dir_.string() +
                      " is damaged. Restore the overlay from a snapshot.",
                  dir_);
    }
  }
  sync_directory(dir_);
  return highest + 1 + kSequenceGap;
}

/// Goes on in the last segment where it has room, else starts one.
void DirtyLog::start_first_segment() {
  if (!sealed_.empty() && !sealed_.back().compacted) {
    active_ = sealed_.back();
    const std::uint64_t used = Segment::kHeaderBytes + active_.records * Segment::kRecordBytes;
    const std::size_t bytes = std::max<std::size_t>(options_.segment_bytes, used);
    active_.segment->reopen_for_append(active_.records, bytes);
    sealed_.pop_back();
    unsynced_.pop_back();
    return;
  }
  const std::uint64_t ordinal = sealed_.empty() ? 0 : sealed_.back().ordinal + 1;
  auto segment = Segment::prepare(segment_path(dir_, ordinal, false), options_.segment_bytes);
  segment->activate({next_sequence_, epoch_, options_.salt});
  sync_directory(dir_);
  active_ = {std::move(segment), 0, ordinal, false};
}

}  // namespace reprise::blk
