#include "device/dirty_tracking.h"

namespace reprise::blk {

/// Mark, change, complete. A change that failed, or that ran while another one's
/// failure was being corrected, leaves the log to be corrected from the truth.
template <typename Change>
std::error_code DirtyTracking::tracked(RecordKind kind, BlockRange range, Change&& change) {
  if (range.empty()) return change();
  const std::uint64_t corrections = corrections_.load(std::memory_order_acquire);
  DirtyLog::Ticket ticket;
  if (auto error = log_.mark(kind, range.first, range.count, ticket)) return error;
  const std::error_code error = change();
  std::error_code correction;
  if (error || corrections_.load(std::memory_order_acquire) != corrections) {
    correction = correct(range);
  }
  log_.complete(ticket);
  return error ? error : correction;
}

std::error_code DirtyTracking::correct(BlockRange range) {
  const std::lock_guard lock(correcting_);
  corrections_.fetch_add(1, std::memory_order_acq_rel);
  if (auto error = restate(log_, presence_, range)) return log_.poison(error);
  return {};
}

std::error_code DirtyTracking::write(std::uint64_t offset, std::span<const std::byte> data) {
  return tracked(RecordKind::kWrite, blocks_touched(offset, data.size()),
                 [&] { return below().write(offset, data); });
}

std::error_code DirtyTracking::flush() {
  return log_.flush([this] { return below().flush(); });
}

std::error_code DirtyTracking::trim(std::uint64_t offset, std::uint64_t length) {
  return tracked(RecordKind::kTrim, blocks_inside(offset, length, size_bytes()),
                 [&] { return below().trim(offset, length); });
}

/// Whole blocks become zero, the parts at both ends are written: three marks at most.
std::error_code DirtyTracking::zero(std::uint64_t offset, std::uint64_t length,
                                    ZeroOptions options) {
  const BlockRange inside = blocks_inside(offset, length, size_bytes());
  const BlockRange touched = blocks_touched(offset, length);
  const auto zero_part = [&](RecordKind kind, BlockRange range) -> std::error_code {
    if (range.empty()) return {};
    const std::uint64_t begin = std::max(offset, range.offset_bytes());
    const std::uint64_t end = std::min(offset + length, range.end() * kBlockSize);
    return tracked(kind, range, [&] { return below().zero(begin, end - begin, options); });
  };
  if (inside.empty()) return zero_part(RecordKind::kWrite, touched);
  const BlockRange head{touched.first, inside.first - touched.first};
  const BlockRange tail{inside.end(), touched.end() - inside.end()};
  if (auto error = zero_part(RecordKind::kWrite, head)) return error;
  if (auto error = zero_part(RecordKind::kZero, inside)) return error;
  return zero_part(RecordKind::kWrite, tail);
}

}  // namespace reprise::blk
