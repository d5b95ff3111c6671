#include "device/dirty_tracking.h"

namespace reprise::blk {

/// Mark, change, complete. The log is corrected from the truth after a change that failed, that
/// ran beside one of the other kind (their marks and their effects may be in different orders), or
/// that ran while a correction was made (which may have looked before this change).
template <typename Change>
std::error_code DirtyTracking::tracked(RecordKind kind, BlockRange range, Change&& change) {
  if (range.empty()) return change();
  const std::uint64_t corrections = corrections_.load();
  DirtyLog::Ticket ticket;
  if (auto error = log_.mark(kind, range.first, range.count, ticket)) return error;
  const std::error_code error = change();
  std::error_code correction;
  if (error || (corrections & 1) != 0 || corrections_.load() != corrections ||
      log_.disturbed(ticket)) {
    correction = correct(range);
  }
  log_.complete(ticket);
  return error ? error : correction;
}

std::error_code DirtyTracking::correct(BlockRange range) {
  const std::lock_guard lock(correcting_);
  corrections_.fetch_add(1);
  const std::error_code error = restate(log_, presence_, range);
  corrections_.fetch_add(1);
  return error ? log_.poison(error) : error;
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
