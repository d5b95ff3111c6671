#include "log/dirty_log.h"

#include <algorithm>
#include <limits>

namespace reprise::blk {

DirtyLog::~DirtyLog() {
  close();
}

std::error_code DirtyLog::mark(RecordKind kind, std::uint64_t first, std::uint64_t count,
                               Ticket& ticket) {
  std::unique_lock lock(mutex_);
  resumed_.wait(lock, [&] { return !holding_ && !overfull_; });
  // Under way before the mark is there: appending may wait for a segment, and a flush must not
  // cover the mark meanwhile.
  ticket.phase = static_cast<std::uint8_t>(phase_);
  ticket.discards = kind == RecordKind::kZero || kind == RecordKind::kTrim;
  // In this order: a change that ends in between may be taken for one of the other kind, but none
  // of the other kind is missed.
  const std::uint32_t all =
      in_flight_[0].load(std::memory_order_acquire) + in_flight_[1].load(std::memory_order_acquire);
  const std::uint32_t discards = discards_in_flight_.load(std::memory_order_acquire);
  ticket.met_others = ticket.discards ? all != discards : discards != 0;
  ticket.others_before = marks_[ticket.discards ? 0 : 1].load();
  marks_[ticket.discards ? 1 : 0].fetch_add(1);
  in_flight_[phase_].fetch_add(1, std::memory_order_relaxed);
  if (ticket.discards) discards_in_flight_.fetch_add(1, std::memory_order_relaxed);
  const std::error_code error = put_mark(lock, kind, first, count);
  if (error) complete(ticket);
  return error;
}

std::error_code DirtyLog::correct(RecordKind kind, std::uint64_t first, std::uint64_t count) {
  std::unique_lock lock(mutex_);
  ++corrections_;
  return put_mark(lock, kind, first, count);
}

std::error_code DirtyLog::put_mark(std::unique_lock<std::mutex>& lock, RecordKind kind,
                                   std::uint64_t first, std::uint64_t count) {
  constexpr std::uint64_t kLongest = std::numeric_limits<std::uint32_t>::max();
  while (count > 0) {
    const auto piece = static_cast<std::uint32_t>(std::min(count, kLongest));
    if (!try_lengthen(kind, first, piece)) {
      if (auto error = append(lock, {next_sequence_, first, piece, kind})) return error;
      may_lengthen_ = true;
    }
    first += piece;
    count -= piece;
  }
  marked_sequence_ = last_.sequence;
  return {};
}

void DirtyLog::complete(Ticket ticket) noexcept {
  if (ticket.discards) discards_in_flight_.fetch_sub(1, std::memory_order_release);
  // Release: a flush that sees zero also sees the data as written.
  if (in_flight_[ticket.phase].fetch_sub(1, std::memory_order_release) == 1) {
    in_flight_[ticket.phase].notify_all();
  }
}

bool DirtyLog::try_lengthen(RecordKind kind, std::uint64_t first, std::uint32_t count) noexcept {
  if (!may_lengthen_ || last_.kind != kind || last_.target + last_.count != first ||
      count > std::numeric_limits<std::uint32_t>::max() - last_.count) {
    return false;
  }
  last_.count += count;
  active_.segment->put_tail(active_.records - 1, pack(last_, options_.salt).tail);
  return true;
}

std::error_code DirtyLog::append(std::unique_lock<std::mutex>& lock, Record record) {
  if (active_.records == active_.segment->capacity()) {
    if (auto error = roll(lock)) return error;
    record.sequence = next_sequence_;
  }
  active_.segment->put(active_.records, pack(record, options_.salt));
  ++active_.records;
  ++next_sequence_;
  last_ = record;
  may_lengthen_ = false;
  if (!spare_ && !spare_wanted_ && active_.records * 2 >= active_.segment->capacity()) {
    spare_wanted_ = true;
    spare_work_.notify_one();
  }
  return {};
}

/// Moves on to the spare segment. The thread for spares has it ready long before
/// it is needed, unless the disk is full or very slow.
std::error_code DirtyLog::roll(std::unique_lock<std::mutex>& lock) {
  while (active_.records == active_.segment->capacity()) {
    if (closed_ || stopping_) return os_error_code(std::errc::bad_file_descriptor);
    if (!spare_) {
      spare_error_ = {};
      spare_wanted_ = true;
      spare_work_.notify_one();
      // Another thread may take the spare first, and then there is room again.
      spare_changed_.wait(lock, [&] {
        return spare_ || spare_error_ || stopping_ || active_.records < active_.segment->capacity();
      });
      if (!spare_ && spare_error_) return spare_error_;
      continue;
    }
    spare_->activate({next_sequence_, epoch_, options_.salt});
    unsynced_.push_back(active_.segment);
    sealed_.push_back(active_);
    active_ = {std::move(spare_), 0, spare_ordinal_, false};
    spare_ = nullptr;
    spare_changed_.notify_all();
    if (compaction_due()) compaction_work_.notify_one();
    overfull_ = compacting_ && backlog() >= 2;
  }
  return {};
}

std::error_code DirtyLog::poison(std::error_code error) {
  const std::lock_guard lock(mutex_);
  poisoned_ = error;
  return error;
}

void DirtyLog::wait_for_phase(unsigned phase) const noexcept {
  const auto& in_flight = in_flight_[phase];
  for (auto n = in_flight.load(std::memory_order_acquire); n != 0;
       n = in_flight.load(std::memory_order_acquire)) {
    in_flight.wait(n, std::memory_order_acquire);
  }
}

/// Lets every change come to its end and none begin. Returns the sequence below which the log then
/// says what the data is.
std::uint64_t DirtyLog::settle(std::unique_lock<std::mutex>& lock) {
  holding_ = true;
  const unsigned phase = phase_;
  lock.unlock();
  wait_for_phase(phase);
  lock.lock();
  holding_ = false;
  resumed_.notify_all();
  may_lengthen_ = false;
  return next_sequence_;
}

std::error_code DirtyLog::flush(const FlushData& flush_data) {
  std::uint64_t needed;
  {
    const std::lock_guard lock(mutex_);
    needed = marked_sequence_;
  }
  const std::lock_guard one_at_a_time(flush_mutex_);
  std::unique_lock lock(mutex_);
  if (poisoned_) return poisoned_;
  if (needed < durable_sequence_) return {};  // another connection's flush covered it
  std::uint64_t covered = next_sequence_;
  const std::uint64_t corrections = corrections_;
  may_lengthen_ = false;  // a covered record must not grow by data that is not
  const unsigned old_phase = phase_;
  phase_ ^= 1;
  lock.unlock();
  wait_for_phase(old_phase);
  lock.lock();
  // A mark that is covered may have been corrected meanwhile, by one that is not.
  if (corrections_ != corrections) covered = settle(lock);
  lock.unlock();
  if (auto error = flush_data()) return poison(error);

  lock.lock();
  if (auto error = append(lock, {next_sequence_, covered, 0, RecordKind::kFlush})) return error;
  auto segments = std::move(unsynced_);
  unsynced_.clear();
  segments.push_back(active_.segment);
  lock.unlock();
  for (const auto& segment : segments) {
    if (auto error = segment->sync()) return poison(error);
  }
  lock.lock();
  durable_sequence_ = covered;
  return {};
}

DirtyLog::Cut DirtyLog::cut_epoch() {
  std::unique_lock lock(mutex_);
  const std::uint64_t epoch = epoch_ + 1;
  if (auto error = append(lock, {next_sequence_, epoch, 0, RecordKind::kEpoch})) {
    throw_os_error("extend the dirty log in", dir_, error.value());
  }
  epoch_ = epoch;
  marked_sequence_ = last_.sequence;
  return {epoch_, last_.sequence};
}

Cursor DirtyLog::cursor(const CursorOptions& options) {
  std::vector<SegmentView> views;
  {
    const std::lock_guard lock(mutex_);
    may_lengthen_ = false;  // what the cursor has seen must not grow behind it
    views = sealed_;
    views.push_back(active_);
  }
  return Cursor(std::move(views), options);
}

LogStatistics DirtyLog::statistics() const {
  const std::lock_guard lock(mutex_);
  LogStatistics result{next_sequence_,  durable_sequence_,        epoch_,
                       active_.records, active_.segment->bytes(), compactions_};
  for (const SegmentView& view : sealed_) {
    result.records += view.records;
    result.bytes += view.segment->bytes();
  }
  return result;
}

void DirtyLog::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    stopping_ = true;
    spare_work_.notify_all();
    compaction_work_.notify_all();
    spare_changed_.notify_all();
  }
  if (compaction_thread_.joinable()) compaction_thread_.join();
  if (spare_thread_.joinable()) spare_thread_.join();
  const std::lock_guard lock(mutex_);
  closed_ = true;
  may_lengthen_ = false;
  if (spare_) {
    std::error_code ignored;  // a spare that stays is removed at the next opening
    std::filesystem::remove(spare_->path(), ignored);
    spare_ = nullptr;
  }
  if (active_.segment) {
    try {
      active_.segment->trim(active_.records);
    } catch (const Error&) {
      // Reserved space stays with the file; its records end at the first invalid one.
    }
  }
}

Cursor open_log_cursor(const std::filesystem::path& dir, const CursorOptions& options) {
  return Cursor(open_segments(dir, LogAccess::kReadOnly), options);
}

}  // namespace reprise::blk
