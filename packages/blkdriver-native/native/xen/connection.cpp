#include "xen/connection.h"

#include <algorithm>

namespace reprise::blk::xen {
namespace {

/// As many frames as a ring's requests can name at once, which is what the protocol
/// advises, but never more than 16 MiB of a guest stay mapped.
std::size_t persistent_limit(const FrontendRing& ring) noexcept {
  constexpr std::size_t kMost = 4096;
  const std::size_t requests =
      ring.grefs.size() * ((kFrameBytes - kRingHeaderBytes) / ring.abi.slot_bytes);
  return ring.persistent_grants ? std::min(kMost, requests * (kMostDirectSegments + 1)) : 0;
}

}  // namespace

Connection::Connection(BlockDevice& device, ResponseJournal& journal, const RingIdentity& identity,
                       const FrontendRing& ring, const Terms& terms, Start start)
    : grants_(identity.domain, persistent_limit(ring)),
      event_channel_(identity.domain, identity.event_channel),
      executor_(device, grants_, terms) {
  const auto shared = grants_.map_ring(ring.grefs);
  const std::uint32_t first = start == Start::kTakeOver ? BackRing::published(shared) : 0;
  BackRing back(shared, ring.abi, first);
  ring_requests_ = back.capacity();
  server_ = std::make_unique<RingServer>(std::move(back), executor_, journal,
                                         [this] { event_channel_.notify(); });
  if (start == Start::kFresh) {
    journal.begin(identity);
    return;
  }
  if (const auto response = journal.unfinished(identity, first)) {
    server_->finish(*response);
  } else {
    journal.begin(identity);
  }
  // The last answers may have been published and not announced.
  event_channel_.notify();
}

}  // namespace reprise::blk::xen
