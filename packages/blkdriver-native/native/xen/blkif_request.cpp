#include "xen/blkif_request.h"

#include <cassert>
#include <cstring>

namespace reprise::blk::xen {
namespace {

template <typename T>
T load(std::span<const std::byte> in, std::size_t at) noexcept {
  T value;
  std::memcpy(&value, in.subspan(at).first<sizeof(T)>().data(), sizeof value);
  return value;
}

bool changes_disk(Op op) noexcept {
  return op == Op::kWrite || op == Op::kWriteBarrier || op == Op::kDiscard;
}

/// In sectors; no sum is formed that could wrap.
bool inside(std::uint64_t sector, std::uint64_t count, const Terms& terms) noexcept {
  return sector <= terms.sectors && count <= terms.sectors - sector;
}

Refusal check_discard(const BlkifRequest& request, const Terms& terms) noexcept {
  if (!terms.discard || (request.discard_flags & kDiscardSecure) != 0) {
    return Refusal::kNotOffered;
  }
  if (request.discard_sectors == 0) return Refusal::kNoSegments;
  return inside(request.sector, request.discard_sectors, terms) ? Refusal::kNone
                                                                : Refusal::kOutsideDisk;
}

Refusal check_indirect(const BlkifRequest& request, const Terms& terms) noexcept {
  if (terms.max_indirect_segments == 0) return Refusal::kNotOffered;
  const auto inner = static_cast<Op>(request.inner_op);
  if (inner != Op::kRead && inner != Op::kWrite) return Refusal::kUnknownOperation;
  if (request.segment_count == 0) return Refusal::kNoSegments;
  if (request.segment_count > terms.max_indirect_segments) return Refusal::kTooManySegments;
  // Every segment has a sector at least; what they have together is checked when they are here.
  return inside(request.sector, request.segment_count, terms) ? Refusal::kNone
                                                              : Refusal::kOutsideDisk;
}

Refusal check_direct(const BlkifRequest& request, const Terms& terms) noexcept {
  if (request.segment_count > kMostDirectSegments) return Refusal::kTooManySegments;
  if (request.segment_count == 0) {
    // A flush or a barrier need not carry data, and then its sector says nothing.
    const bool may = request.is(Op::kFlush) || request.is(Op::kWriteBarrier);
    return may ? Refusal::kNone : Refusal::kNoSegments;
  }
  return check_segments(request.direct_segments(), request.sector, terms);
}

}  // namespace

BlkifRequest decode_request(std::span<const std::byte> slot, const Abi& abi) noexcept {
  assert(slot.size() >= abi.slot_bytes);
  BlkifRequest request;
  request.op = load<std::uint8_t>(slot, 0);
  request.id = load<std::uint64_t>(slot, abi.id);
  request.sector = load<std::uint64_t>(slot, abi.sector);
  if (request.is(Op::kDiscard)) {
    request.discard_flags = load<std::uint8_t>(slot, 1);
    request.discard_sectors = load<std::uint64_t>(slot, abi.segments);
  } else if (request.is(Op::kIndirect)) {
    request.inner_op = load<std::uint8_t>(slot, 1);
    request.segment_count = load<std::uint16_t>(slot, 2);
    for (std::size_t i = 0; i < kMostIndirectFrames; ++i) {
      request.indirect_grefs[i] =
          load<std::uint32_t>(slot, abi.indirect_grefs + i * sizeof(std::uint32_t));
    }
  } else {
    request.segment_count = load<std::uint8_t>(slot, 1);
    for (std::size_t i = 0; i < kMostDirectSegments; ++i) {
      request.segments[i] =
          decode_segment(slot.subspan(abi.segments + i * kSegmentBytes).first<kSegmentBytes>());
    }
  }
  return request;
}

Segment decode_segment(std::span<const std::byte, kSegmentBytes> in) noexcept {
  return {load<std::uint32_t>(in, 0), load<std::uint8_t>(in, 4), load<std::uint8_t>(in, 5)};
}

Status status_of(Refusal refusal) noexcept {
  switch (refusal) {
    case Refusal::kNone:
      return Status::kOkay;
    case Refusal::kUnknownOperation:
    case Refusal::kNotOffered:
      return Status::kUnsupported;
    case Refusal::kReadOnly:
    case Refusal::kNoSegments:
    case Refusal::kTooManySegments:
    case Refusal::kBadSegment:
    case Refusal::kOutsideDisk:
      break;
  }
  return Status::kError;
}

Refusal check_request(const BlkifRequest& request, const Terms& terms) noexcept {
  if (terms.read_only && (changes_disk(request.effective_op()) ||
                          (request.effective_op() == Op::kFlush && request.segment_count > 0))) {
    return Refusal::kReadOnly;
  }
  switch (static_cast<Op>(request.op)) {
    case Op::kRead:
    case Op::kWrite:
    case Op::kWriteBarrier:
    case Op::kFlush:
      return check_direct(request, terms);
    case Op::kDiscard:
      return check_discard(request, terms);
    case Op::kIndirect:
      return check_indirect(request, terms);
  }
  return Refusal::kUnknownOperation;
}

Refusal check_segments(std::span<const Segment> segments, std::uint64_t sector,
                       const Terms& terms) noexcept {
  std::uint64_t count = 0;
  for (const Segment& segment : segments) {
    if (segment.first_sector > segment.last_sector || segment.last_sector >= kSectorsPerFrame) {
      return Refusal::kBadSegment;
    }
    count += segment.last_sector - segment.first_sector + 1u;
  }
  return inside(sector, count, terms) ? Refusal::kNone : Refusal::kOutsideDisk;
}

std::size_t total_bytes(std::span<const Segment> segments) noexcept {
  std::size_t total = 0;
  for (const Segment& segment : segments) total += segment.length_bytes();
  return total;
}

}  // namespace reprise::blk::xen
