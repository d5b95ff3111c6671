#pragma once

#include <array>
#include <cstring>

#include "xen/blkif_request.h"

namespace reprise::blk::testing {

using Slot = std::array<std::byte, xen::kAbi64.slot_bytes>;

/// What a frontend puts into a slot: the other direction of `decode_request`.
inline Slot encode_slot(const xen::BlkifRequest& request, const xen::Abi& abi) {
  Slot slot{};
  const auto store = [&](std::size_t at, auto value) {
    std::memcpy(slot.data() + at, &value, sizeof value);
  };
  const auto handle = std::uint16_t{51712};
  store(0, request.op);
  store(abi.id, request.id);
  store(abi.sector, request.sector);
  if (request.is(xen::Op::kDiscard)) {
    store(1, request.discard_flags);
    store(2, handle);
    store(abi.segments, request.discard_sectors);
  } else if (request.is(xen::Op::kIndirect)) {
    store(1, request.inner_op);
    store(2, request.segment_count);
    store(abi.segments, handle);
    for (std::size_t i = 0; i < request.indirect_grefs.size(); ++i) {
      store(abi.indirect_grefs + 4 * i, request.indirect_grefs[i]);
    }
  } else {
    store(1, static_cast<std::uint8_t>(request.segment_count));
    store(2, handle);
    for (std::size_t i = 0; i < request.segments.size(); ++i) {
      const std::size_t at = abi.segments + xen::kSegmentBytes * i;
      store(at, request.segments[i].gref);
      store(at + 4, request.segments[i].first_sector);
      store(at + 5, request.segments[i].last_sector);
    }
  }
  return slot;
}

}  // namespace reprise::blk::testing
