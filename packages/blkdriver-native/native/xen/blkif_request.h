#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "xen/blkif_protocol.h"

namespace reprise::blk::xen {

/// A stretch of one granted frame, in sectors, both ends inclusive.
struct Segment {
  std::uint32_t gref = 0;
  std::uint8_t first_sector = 0;
  std::uint8_t last_sector = 0;

  std::size_t offset_bytes() const noexcept { return first_sector * kSectorBytes; }
  std::size_t length_bytes() const noexcept {
    return (last_sector - first_sector + std::size_t{1}) * kSectorBytes;
  }
};

/// A request as the guest wrote it, copied out of its memory: nothing in it is
/// believed before `check_request`. The handle (which device the guest means) is
/// not kept: a ring belongs to one device, so it has nothing to choose.
struct BlkifRequest {
  std::uint8_t op = 0;
  std::uint8_t inner_op = 0;  ///< what an indirect request does
  std::uint8_t discard_flags = 0;
  std::uint16_t segment_count = 0;
  std::uint64_t id = 0;  ///< the guest's own; goes back as it is
  std::uint64_t sector = 0;
  std::uint64_t discard_sectors = 0;
  std::array<Segment, kMostDirectSegments> segments{};
  std::array<std::uint32_t, kMostIndirectFrames> indirect_grefs{};

  bool is(Op wanted) const noexcept { return op == static_cast<std::uint8_t>(wanted); }
  /// What is to be done, with or without indirection.
  Op effective_op() const noexcept { return static_cast<Op>(is(Op::kIndirect) ? inner_op : op); }
  /// A frontend expects the inner operation back from an indirect request.
  std::uint8_t answered_op() const noexcept { return is(Op::kIndirect) ? inner_op : op; }
  /// Direct segments that there is room for, whatever the guest claims.
  std::span<const Segment> direct_segments() const noexcept {
    return std::span(segments).first(segment_count < kMostDirectSegments ? segment_count
                                                                         : kMostDirectSegments);
  }
};

/// Takes the fields of the operation out of a slot. `slot` is a private copy of
/// `abi.slot_bytes` bytes: reading the guest's memory twice would let it change
/// a field between the check and the use.
BlkifRequest decode_request(std::span<const std::byte> slot, const Abi& abi) noexcept;

/// The same for a private copy of `kSegmentBytes` bytes of an indirect frame.
Segment decode_segment(std::span<const std::byte, kSegmentBytes> in) noexcept;

/// What a connection allows.
struct Terms {
  std::uint64_t sectors = 0;  ///< of the disk, 512 bytes each
  bool read_only = false;
  bool discard = true;
  std::uint16_t max_indirect_segments = kMostIndirectSegments;  ///< 0: none
};

/// Why a request is not carried out.
enum class Refusal : std::uint8_t {
  kNone,
  kUnknownOperation,
  kNotOffered,  ///< known, and not among what the backend offers
  kReadOnly,
  kNoSegments,
  kTooManySegments,
  kBadSegment,  ///< ends before it begins, or leaves its frame
  kOutsideDisk,
};

Status status_of(Refusal refusal) noexcept;

/// Everything that can be said before segments of an indirect request are fetched.
Refusal check_request(const BlkifRequest& request, const Terms& terms) noexcept;

/// All segments of one request, in order. They carry consecutive sectors.
Refusal check_segments(std::span<const Segment> segments, std::uint64_t sector,
                       const Terms& terms) noexcept;

/// Sum over checked segments.
std::size_t total_bytes(std::span<const Segment> segments) noexcept;

}  // namespace reprise::blk::xen
