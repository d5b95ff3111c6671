#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>

#include "device/block_device.h"
#include "xen/blkif_request.h"
#include "xen/guest_memory.h"

namespace reprise::blk::xen {

/// What has come over a ring. Read from any thread, written by the serving one.
struct VbdCounts {
  std::uint64_t requests = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t barriers = 0;
  std::uint64_t discards = 0;
  std::uint64_t indirect = 0;  ///< of the reads and writes
  std::uint64_t refused = 0;   ///< failed a check
  std::uint64_t failed = 0;    ///< the disk or the guest's memory said no
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;
};

/// Checks requests and carries them out, one after the other, on one device.
/// Its memory is one buffer of the longest request, whatever the guest sends.
class RequestExecutor {
 public:
  RequestExecutor(BlockDevice& device, GuestMemory& memory, const Terms& terms);
  RequestExecutor(const RequestExecutor&) = delete;
  RequestExecutor& operator=(const RequestExecutor&) = delete;

  /// What to answer; nothing where `stop` was set in the middle of a long discard,
  /// which then is to be done again by whoever comes next. `ahead` are requests
  /// that will follow: where this one has to wait for a cold disk, theirs is asked
  /// to be read meanwhile.
  std::optional<Status> carry_out(const BlkifRequest& request, std::span<const BlkifRequest> ahead,
                                  const std::atomic<bool>& stop);

  VbdCounts counts() const noexcept;

 private:
  using Counter = std::atomic<std::uint64_t>;
  static void add(Counter& counter, std::uint64_t n = 1) noexcept {
    counter.fetch_add(n, std::memory_order_relaxed);
  }

  std::optional<Status> dispatch(const BlkifRequest& request, std::span<const Segment> segments,
                                 std::span<const BlkifRequest> ahead,
                                 const std::atomic<bool>& stop);
  Status refuse(Refusal refusal) noexcept;
  Status answer(std::error_code error) noexcept;
  [[nodiscard]] std::error_code fetch_segments(const BlkifRequest& request);
  std::span<const FramePart> parts_of(std::span<const Segment> segments) noexcept;
  [[nodiscard]] std::error_code read(const BlkifRequest& request, std::span<const Segment> segments,
                                     std::span<const BlkifRequest> ahead);
  [[nodiscard]] std::error_code write(const BlkifRequest& request,
                                      std::span<const Segment> segments);
  [[nodiscard]] std::error_code flush();
  std::optional<Status> discard(const BlkifRequest& request, const std::atomic<bool>& stop);
  void announce(std::span<const BlkifRequest> ahead);

  BlockDevice& device_;
  GuestMemory& memory_;
  const Terms terms_;
  std::unique_ptr<std::byte[]> data_;
  std::array<Segment, kMostIndirectSegments> segments_{};  // of an indirect request
  std::array<FramePart, kMostIndirectSegments> parts_{};
  Counter requests_{0}, reads_{0}, writes_{0}, flushes_{0}, barriers_{0}, discards_{0};
  Counter indirect_{0}, refused_{0}, failed_{0}, bytes_read_{0}, bytes_written_{0};
};

}  // namespace reprise::blk::xen
