#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "log/cursor.h"
#include "log/log_files.h"

namespace reprise::blk {

/// What may be believed of a log that was not closed.
enum class Trust {
  kEverything,  ///< the machine did not go down: the page cache has every store
  kFlushed,     ///< it did: only what the last flush record covers
};

struct DirtyLogOptions {
  std::uint64_t salt = 0;
  std::uint64_t block_count = 0;
  std::size_t segment_bytes = 1 << 20;
  /// Compaction starts when the segments since the last one reach this and the
  /// size of what the last one left.
  std::uint64_t compact_bytes = 32 << 20;
};

struct LogStatistics {
  std::uint64_t next_sequence = 0;
  std::uint64_t durable_sequence = 0;  ///< everything below it is durable
  std::uint64_t epoch = 0;
  std::uint64_t records = 0;  ///< in the files now
  std::uint64_t bytes = 0;    ///< of the files now
  std::uint64_t compactions = 0;
};

/// The ordered, append-only record of which blocks were changed.
///
/// Order of one change: `mark` -> change the data -> `complete` -> acknowledge.
/// A mark is a store into the page cache, so it outlives the process as soon as
/// `mark` returns; a flush makes it outlive the machine. All calls are safe from
/// any thread; no lock is held while a disk is waited for.
class DirtyLog {
 public:
  /// Stands for a mark whose change is not yet made.
  struct Ticket {
    std::uint8_t phase = 0;
    bool discards = false;            ///< the blocks become zeros, not data
    bool met_others = false;          ///< a change of the other kind was under way at the mark
    std::uint64_t others_before = 0;  ///< marks of the other kind until then
  };
  struct Cut {
    std::uint64_t epoch;     ///< the epoch that begins
    std::uint64_t sequence;  ///< of the epoch record: later records have greater ones
  };
  using FlushData = std::function<std::error_code()>;

  /// Opens the log of `dir`, which may be empty. Throws Error.
  static std::unique_ptr<DirtyLog> open(const std::filesystem::path& dir,
                                        const DirtyLogOptions& options, Trust trust);
  ~DirtyLog();
  DirtyLog(const DirtyLog&) = delete;
  DirtyLog& operator=(const DirtyLog&) = delete;

  /// Appends a mark, or lengthens the last record where that keeps the order.
  /// Fails with no_space_on_device and then nothing may be written.
  [[nodiscard]] std::error_code mark(RecordKind kind, std::uint64_t first, std::uint64_t count,
                                     Ticket& ticket);
  void complete(Ticket ticket) noexcept;

  /// Whether a change of the other kind (data against zeros) was under way at any time since the
  /// ticket's mark. Then the last mark of a block may not be of the last change to it: whoever was
  /// last to change it sees this, and says with `correct` what the block is now.
  bool disturbed(const Ticket& ticket) const noexcept {
    return ticket.met_others || marks_[ticket.discards ? 0 : 1].load() != ticket.others_before;
  }

  /// Appends a mark of what is so already, because an earlier one says otherwise. Before `complete`
  /// of the change that found out, so that no flush covers the one without the other.
  [[nodiscard]] std::error_code correct(RecordKind kind, std::uint64_t first, std::uint64_t count);

  /// Makes every mark so far, and the data behind it, durable: waits for marks
  /// that are not complete, calls `flush_data`, then writes a flush record and
  /// syncs the log. After a failure every later flush fails too, because what
  /// the kernel dropped cannot be told from what it kept.
  [[nodiscard]] std::error_code flush(const FlushData& flush_data);

  /// Makes every later flush fail with `error`: the log may no longer say what the data is.
  std::error_code poison(std::error_code error);

  /// Ends the epoch. Throws Error(kNoSpace).
  Cut cut_epoch();

  /// Sees what is there now; later marks start new records.
  Cursor cursor(const CursorOptions& options);

  LogStatistics statistics() const;

  /// Lets the log compact itself in the background; `flush_data` is called from
  /// there, because only durable records may be merged.
  void enable_compaction(FlushData flush_data);

  /// Stops the background work, gives reserved space back. Idempotent.
  void close();

 private:
  explicit DirtyLog(std::filesystem::path dir, const DirtyLogOptions& options)
      : dir_(std::move(dir)), options_(options) {}

  void recover(Trust trust);
  std::uint64_t drop_unflushed();
  void start_first_segment();
  [[nodiscard]] std::error_code put_mark(std::unique_lock<std::mutex>& lock, RecordKind kind,
                                         std::uint64_t first, std::uint64_t count);
  bool try_lengthen(RecordKind kind, std::uint64_t first, std::uint32_t count) noexcept;
  [[nodiscard]] std::error_code append(std::unique_lock<std::mutex>& lock, Record record);
  [[nodiscard]] std::error_code roll(std::unique_lock<std::mutex>& lock);
  void wait_for_phase(unsigned phase) const noexcept;
  std::uint64_t settle(std::unique_lock<std::mutex>& lock);
  void keep_spare();
  void prepare_spare(std::unique_lock<std::mutex>& lock);
  void keep_compact();
  bool compaction_due() const { return compaction_flush_ && !poisoned_ && backlog() >= 1; }
  std::uint64_t backlog() const;
  void compact(std::unique_lock<std::mutex>& lock);
  SegmentView merge(const std::vector<SegmentView>& inputs) const;
  std::size_t next_segment_bytes() const;

  const std::filesystem::path dir_;
  const DirtyLogOptions options_;

  mutable std::mutex mutex_;
  std::condition_variable spare_changed_;
  std::condition_variable spare_work_;
  std::condition_variable compaction_work_;
  std::condition_variable resumed_;  // holding_ or overfull_ is false again
  std::vector<SegmentView> sealed_;  // full segments, oldest first; the first may be compacted
  SegmentView active_;
  std::shared_ptr<Segment> spare_;
  std::uint64_t spare_ordinal_ = 0;
  std::error_code spare_error_;
  bool spare_wanted_ = false;
  Record last_;  // the record that a mark may lengthen
  bool may_lengthen_ = false;
  std::uint64_t next_sequence_ = 1;
  std::uint64_t marked_sequence_ = 0;   // of the newest mark or epoch: what a flush must cover
  std::uint64_t durable_sequence_ = 0;  // everything below it is durable
  std::uint64_t epoch_ = 0;
  std::uint64_t compactions_ = 0;
  std::error_code poisoned_;
  std::vector<std::shared_ptr<Segment>> unsynced_;  // sealed since the last flush
  unsigned phase_ = 0;
  std::array<std::atomic<std::uint32_t>, 2> in_flight_{};  // of both kinds, by phase
  std::atomic<std::uint32_t> discards_in_flight_{0};
  std::array<std::atomic<std::uint64_t>, 2> marks_{};  // 0: to data, 1: to zeros
  std::uint64_t corrections_ = 0;
  bool compacting_ = false;
  bool overfull_ = false;  // marks wait: a compaction does not keep up with them
  bool holding_ = false;   // marks wait: a flush lets what has begun come to its end

  std::mutex flush_mutex_;  // one flush at a time; taken before mutex_
  FlushData compaction_flush_;
  bool stopping_ = false;
  bool closed_ = false;
  std::size_t compaction_floor_ = 0;  // a compaction failed at this many segments
  // Two, because a writer that has filled its segment must not wait for a compaction.
  std::thread spare_thread_;
  std::thread compaction_thread_;
};

/// Read access to the log of a closed overlay.
Cursor open_log_cursor(const std::filesystem::path& dir, const CursorOptions& options);

}  // namespace reprise::blk
