#include "nbd/disk_job.h"

#include <algorithm>
#include <new>

namespace reprise::blk::nbd {
namespace {

/// A request of 4 GiB lets others in between. Large enough that a mark of the dirty log
/// still covers much, small enough that writing zeros where a file system cannot
/// allocate takes a second rather than a minute.
constexpr std::uint32_t kSliceBytes = 128 << 20;
/// Enough to describe 32 MiB block by block, small enough for one reply.
constexpr std::size_t kMostExtents = 8192;

}  // namespace

bool DiskJob::perform(BlockDevice& device, const Agreement& agreement) noexcept {
  try {
    return perform_some(device, agreement);
  } catch (const std::bad_alloc&) {
    error = std::make_error_code(std::errc::not_enough_memory);
  } catch (const std::exception&) {
    error = std::make_error_code(std::errc::io_error);
  }
  return true;
}

bool DiskJob::perform_some(BlockDevice& device, const Agreement& agreement) {
  switch (request.command) {
    case Command::kRead:
      error = device.read(offset, data, Wait::kAllowed);
      return true;
    case Command::kTrim:
    case Command::kWriteZeroes:
    case Command::kCache:
      if (!perform_slice(device)) return false;
      break;
    case Command::kBlockStatus:
      collect_status(device, agreement);
      return true;
    case Command::kFlush:
      error = device.flush();
      return true;
    case Command::kWrite:  // its data is written already
    case Command::kDisconnect:
      break;
  }
  const bool changes = request.command != Command::kCache;
  if (!error && changes && request.has(kCmdFlagFua)) error = device.flush();
  return true;
}

/// True when it was the last slice.
bool DiskJob::perform_slice(BlockDevice& device) {
  const std::uint64_t at = offset + done_bytes;
  // Slices end at multiples of their size, so that no block is cut in two.
  const auto to_boundary = static_cast<std::uint32_t>(kSliceBytes - at % kSliceBytes);
  const std::uint32_t n = std::min(length - done_bytes, to_boundary);
  if (request.command == Command::kTrim) {
    error = device.trim(at, n);
  } else if (request.command == Command::kCache) {
    error = device.cache(at, n);
  } else {
    error = device.zero(at, n,
                        {.keep_allocated = request.has(kCmdFlagNoHole),
                         .only_if_fast = request.has(kCmdFlagFastZero)});
  }
  done_bytes += n;
  return error || done_bytes == length;
}

void DiskJob::collect_status(BlockDevice& device, const Agreement& agreement) {
  const std::size_t most = request.has(kCmdFlagReqOne) ? 1 : kMostExtents;
  for (const MetaContext& context : agreement.contexts) {
    auto& extents = status.emplace_back();
    error = device.status(context.kind, offset, length,
                          [&](std::uint64_t extent_bytes, std::uint32_t flags) {
                            const auto n = static_cast<std::uint32_t>(extent_bytes);
                            if (!extents.empty() && extents.back().flags == flags) {
                              extents.back().length += n;
                              return true;
                            }
                            if (extents.size() == most) return false;
                            extents.push_back({n, flags});
                            return true;
                          });
    if (error) return;
  }
}

}  // namespace reprise::blk::nbd
