#include "xen/request_executor.h"

#include <algorithm>
#include <cassert>

namespace reprise::blk::xen {
namespace {

/// A discard of a whole disk is one request; between pieces of this size its
/// thread looks whether it is wanted elsewhere.
constexpr std::uint64_t kDiscardPieceBytes = std::uint64_t{64} << 20;

/// At least one frame: descriptors pass through here, too.
std::size_t longest_request(const Terms& terms) noexcept {
  const std::size_t segments = terms.max_indirect_segments;
  return std::max(segments, kMostDirectSegments) * kFrameBytes;
}

}  // namespace

RequestExecutor::RequestExecutor(BlockDevice& device, GuestMemory& memory, const Terms& terms)
    : device_(device),
      memory_(memory),
      terms_(terms),
      data_(std::make_unique_for_overwrite<std::byte[]>(longest_request(terms))) {
  assert(terms.sectors <= device.size_bytes() / kSectorBytes);
  assert(terms.max_indirect_segments <= kMostIndirectSegments);
}

std::optional<Status> RequestExecutor::carry_out(const BlkifRequest& request,
                                                 std::span<const BlkifRequest> ahead,
                                                 const std::atomic<bool>& stop) {
  add(requests_);
  if (const Refusal refusal = check_request(request, terms_); refusal != Refusal::kNone) {
    return refuse(refusal);
  }
  if (!request.is(Op::kIndirect)) {
    return dispatch(request, request.direct_segments(), ahead, stop);
  }
  add(indirect_);
  if (auto error = fetch_segments(request)) return answer(error);
  const auto segments = std::span<const Segment>(segments_).first(request.segment_count);
  const Refusal refusal = check_segments(segments, request.sector, terms_);
  if (refusal != Refusal::kNone) return refuse(refusal);
  return dispatch(request, segments, ahead, stop);
}

std::optional<Status> RequestExecutor::dispatch(const BlkifRequest& request,
                                                std::span<const Segment> segments,
                                                std::span<const BlkifRequest> ahead,
                                                const std::atomic<bool>& stop) {
  switch (request.effective_op()) {
    case Op::kRead:
      return answer(read(request, segments, ahead));
    case Op::kWrite:
      return answer(write(request, segments));
    case Op::kFlush: {
      // What was written before is made durable; data of its own comes after that.
      const auto error = flush();
      return answer(error || segments.empty() ? error : write(request, segments));
    }
    case Op::kWriteBarrier: {
      add(barriers_);
      auto error = flush();
      if (!error && !segments.empty()) error = write(request, segments);
      if (!error && !segments.empty()) error = flush();
      return answer(error);
    }
    case Op::kDiscard:
      return discard(request, stop);
    case Op::kIndirect:
      break;  // check_request lets none be inside another
  }
  return refuse(Refusal::kUnknownOperation);
}

Status RequestExecutor::refuse(Refusal refusal) noexcept {
  add(refused_);
  return status_of(refusal);
}

Status RequestExecutor::answer(std::error_code error) noexcept {
  if (!error) return Status::kOkay;
  add(failed_);
  return Status::kError;
}

/// Copies the descriptors out of the guest's frames once; only the copies are checked and used.
std::error_code RequestExecutor::fetch_segments(const BlkifRequest& request) {
  std::size_t done = 0;
  for (std::size_t frame = 0; done < request.segment_count; ++frame) {
    assert(frame < kMostIndirectFrames);
    const std::size_t n = std::min(request.segment_count - done, kSegmentsPerFrame);
    const FramePart part{request.indirect_grefs[frame], 0,
                         static_cast<std::uint32_t>(n * kSegmentBytes)};
    const std::span<std::byte> raw(data_.get(), part.length);
    if (auto error = memory_.copy_in(std::span(&part, 1), raw)) return error;
    for (std::size_t i = 0; i < n; ++i) {
      segments_[done + i] = decode_segment(raw.subspan(i * kSegmentBytes).first<kSegmentBytes>());
    }
    done += n;
  }
  return {};
}

std::span<const FramePart> RequestExecutor::parts_of(std::span<const Segment> segments) noexcept {
  std::size_t n = 0;
  for (const Segment& segment : segments) {
    parts_[n++] = {segment.gref, static_cast<std::uint32_t>(segment.offset_bytes()),
                   static_cast<std::uint32_t>(segment.length_bytes())};
  }
  return std::span<const FramePart>(parts_).first(n);
}

std::error_code RequestExecutor::read(const BlkifRequest& request,
                                      std::span<const Segment> segments,
                                      std::span<const BlkifRequest> ahead) {
  const std::span<std::byte> data(data_.get(), total_bytes(segments));
  const std::uint64_t offset = request.sector * kSectorBytes;
  auto error = device_.read(offset, data, Wait::kNever);
  if (error == std::errc::resource_unavailable_try_again) {
    announce(ahead);
    error = device_.read(offset, data, Wait::kAllowed);
  }
  if (error) return error;
  add(reads_);
  add(bytes_read_, data.size());
  return memory_.copy_out(parts_of(segments), data);
}

/// Requests are answered in order, but a disk is fastest when it knows what else is wanted.
void RequestExecutor::announce(std::span<const BlkifRequest> ahead) {
  for (const BlkifRequest& request : ahead) {
    if (!request.is(Op::kRead) || check_request(request, terms_) != Refusal::kNone) continue;
    // A hint: where it fails, the read itself will say why.
    (void)device_.cache(request.sector * kSectorBytes, total_bytes(request.direct_segments()));
  }
}

std::error_code RequestExecutor::write(const BlkifRequest& request,
                                       std::span<const Segment> segments) {
  const std::span<std::byte> data(data_.get(), total_bytes(segments));
  if (auto error = memory_.copy_in(parts_of(segments), data)) return error;
  if (auto error = device_.write(request.sector * kSectorBytes, data)) return error;
  add(writes_);
  add(bytes_written_, data.size());
  return {};
}

std::error_code RequestExecutor::flush() {
  add(flushes_);
  return device_.flush();
}

std::optional<Status> RequestExecutor::discard(const BlkifRequest& request,
                                               const std::atomic<bool>& stop) {
  std::uint64_t offset = request.sector * kSectorBytes;
  const std::uint64_t end = offset + request.discard_sectors * kSectorBytes;
  while (offset < end) {
    if (stop.load(std::memory_order_relaxed)) return std::nullopt;
    // Pieces end at multiples of their size, so that no block is cut in two.
    const std::uint64_t piece_end = (offset / kDiscardPieceBytes + 1) * kDiscardPieceBytes;
    const std::uint64_t length = std::min(end, piece_end) - offset;
    if (auto error = device_.trim(offset, length)) return answer(error);
    offset += length;
  }
  add(discards_);
  return Status::kOkay;
}

VbdCounts RequestExecutor::counts() const noexcept {
  const auto get = [](const Counter& counter) { return counter.load(std::memory_order_relaxed); };
  VbdCounts counts;
  counts.requests = get(requests_);
  counts.reads = get(reads_);
  counts.writes = get(writes_);
  counts.flushes = get(flushes_);
  counts.barriers = get(barriers_);
  counts.discards = get(discards_);
  counts.indirect = get(indirect_);
  counts.refused = get(refused_);
  counts.failed = get(failed_);
  counts.bytes_read = get(bytes_read_);
  counts.bytes_written = get(bytes_written_);
  return counts;
}

}  // namespace reprise::blk::xen
