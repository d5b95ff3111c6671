#include "overlay/overlay.h"

#include <fcntl.h>

#include <span>
#include <vector>

#include "error.h"
#include "log/seen_blocks.h"
#include "platform/file.h"

namespace reprise::blk {
namespace {

constexpr std::size_t kLargestSegment = 64 << 20;

void require(std::error_code error, std::string_view doing, const std::filesystem::path& path) {
  if (error) throw_os_error(doing, path, error.value());
}

BlockState state_after(RecordKind kind) noexcept {
  if (kind == RecordKind::kWrite) return BlockState::kData;
  return kind == RecordKind::kRevert ? BlockState::kAbsent : BlockState::kZero;
}

}  // namespace

std::error_code restate(DirtyLog& log, const PresenceMap& presence, BlockRange range) {
  while (!range.empty()) {
    const auto run = presence.run_at(range.first, range.count);
    if (auto error = log.correct(record_kind_of(run.state), range.first, run.length)) return error;
    range = {range.first + run.length, range.count - run.length};
  }
  return {};
}

Overlay Overlay::open_sealed(const std::filesystem::path& dir) {
  Overlay overlay(dir, HeaderFile::open(dir, false));
  const OverlayHeader& header = overlay.header_.header();
  if (header.state == OverlayState::kOpen) {
    throw Error(ErrorCode::kOverlayNotClosed,
                "The overlay " + dir.string() +
                    " was not closed. Open it once as the writable overlay, which recovers it, "
                    "and close it.",
                dir);
  }
  overlay.data_ = open_file(data_path(dir), O_RDONLY);
  overlay.presence_ = PresenceMap::open(presence_path(dir), blocks_for(header.size_bytes), false);
  return overlay;
}

Overlay Overlay::open_writable(const std::filesystem::path& dir, const WriteOptions& options) {
  if (options.log_segment_bytes < 4096 || options.log_segment_bytes > kLargestSegment) {
    throw Error(ErrorCode::kInvalidArgument,
                "A segment of the dirty log has between 4 KiB and 64 MiB, not " +
                    std::to_string(options.log_segment_bytes) + " bytes. Leave it at its default.",
                dir);
  }
  Overlay overlay(dir, HeaderFile::open(dir, true));
  const OverlayHeader header = overlay.header_.header();
  if (header.state == OverlayState::kSealed) {
    throw Error(ErrorCode::kOverlaySealed,
                "The overlay " + dir.string() +
                    " is sealed. Put it among the layers and create a new overlay on top.",
                dir);
  }
  const bool killed = header.state == OverlayState::kOpen;
  const bool power_lost = killed && (options.assume_power_loss || header.boot != boot_id());
  const std::uint64_t blocks = blocks_for(header.size_bytes);
  overlay.data_ = open_file(data_path(dir), O_RDWR);
  overlay.presence_ = PresenceMap::open(presence_path(dir), blocks, true);
  overlay.log_ = DirtyLog::open(dir,
                                {.salt = header.salt,
                                 .block_count = blocks,
                                 .segment_bytes = options.log_segment_bytes,
                                 .compact_bytes = options.log_compact_bytes},
                                power_lost ? Trust::kFlushed : Trust::kEverything);
  if (power_lost) {
    overlay.rebuild_presence();
    overlay.mark_everything_held();
  } else if (killed) {
    overlay.restate_unfinished();
  }
  overlay.header_.set_state(OverlayState::kOpen);
  const int data = overlay.data_.get();
  overlay.log_->enable_compaction([data] { return sync_data(data); });
  return overlay;
}

void Overlay::check_inside(const Record& mark) const {
  if (mark.target <= block_count() && mark.count <= block_count() - mark.target) return;
  throw Error(ErrorCode::kLogCorrupt,
              "The dirty log of " + dir_.string() +
                  " names blocks beyond the disk. Restore the overlay from a snapshot.",
              dir_);
}

/// The presence map says what the log says, so it can be made from it.
void Overlay::rebuild_presence() {
  presence_.clear();
  std::vector<Record> batch(4096);
  Cursor cursor = log_->cursor({});
  while (const std::size_t n = cursor.next(batch)) {
    for (std::size_t i = 0; i < n; ++i) {
      if (!is_mark(batch[i].kind)) continue;
      const BlockRange range{batch[i].target, batch[i].count};
      check_inside(batch[i]);
      require(presence_.prepare(range), "extend", presence_path(dir_));
      presence_.set(range, state_after(batch[i].kind));
    }
  }
}

/// A killed driver leaves marks whose data it did not write. Were they left alone,
/// a later flush would cover them and a power loss then make them true. Only a
/// block's newest mark counts, and only down to the newest flush: below what that
/// covers, every mark was carried out.
void Overlay::restate_unfinished() {
  SeenBlocks seen(block_count());
  std::uint64_t finished_below = 0;
  std::vector<Record> batch(4096);
  Cursor backward = log_->cursor({.direction = Direction::kBackward});
  while (const std::size_t n = backward.next(batch)) {
    for (const Record& record : std::span(batch).first(n)) {
      if (record.sequence < finished_below) return;
      if (record.kind == RecordKind::kFlush) {
        finished_below = std::max(finished_below, record.target);
      }
      if (!is_mark(record.kind)) continue;
      check_inside(record);
      for (std::uint64_t block = record.target; block < record.target + record.count; ++block) {
        if (!seen.insert(block) || presence_.get(block) == state_after(record.kind)) continue;
        require(restate(*log_, presence_, {block, 1}), "extend the dirty log of", dir_);
      }
    }
  }
}

/// Data of a write that was never flushed may have reached the disk though its
/// mark did not, so whoever asks for an epoch's blocks must get all that are held.
void Overlay::mark_everything_held() {
  log_->cut_epoch();
  presence_.for_each_run([&](BlockRange run, BlockState state) {
    DirtyLog::Ticket ticket;
    require(log_->mark(record_kind_of(state), run.first, run.count, ticket),
            "extend the dirty log of", dir_);
    log_->complete(ticket);
  });
  require(log_->flush([this] { return sync_data(data_.get()); }), "flush", dir_);
}

void Overlay::close() {
  if (!log_) return;
  require(log_->flush([this] { return sync_data(data_.get()); }), "flush", dir_);
  log_->close();
  require(presence_.sync(), "flush", presence_path(dir_));
  header_.set_state(OverlayState::kClosed);
}

}  // namespace reprise::blk
