#pragma once

#include <functional>
#include <memory>

#include "xen/guest_event_channel.h"
#include "xen/guest_grants.h"
#include "xen/ring_server.h"
#include "xen/vbd_nodes.h"

namespace reprise::blk::xen {

/// One connected ring with all that belongs to it; unmapped and unbound at the end.
class Connection {
 public:
  /// Whether the ring is new, or one that a backend which has died served before.
  enum class Start { kFresh, kTakeOver };

  /// Throws Error. `journal` and `device` outlive it.
  Connection(BlockDevice& device, ResponseJournal& journal, const RingIdentity& identity,
             const FrontendRing& ring, const Terms& terms, Start start);

  RingServer::Outcome serve(const std::atomic<bool>& stop) { return server_->serve(stop); }
  GuestEventChannel& event_channel() noexcept { return event_channel_; }
  VbdCounts counts() const noexcept { return executor_.counts(); }
  std::uint32_t ring_requests() const noexcept { return ring_requests_; }
  std::size_t persistent_frames() const noexcept { return grants_.persistent_frames(); }

 private:
  GuestGrants grants_;
  GuestEventChannel event_channel_;
  RequestExecutor executor_;
  std::uint32_t ring_requests_ = 0;
  std::unique_ptr<RingServer> server_;
};

}  // namespace reprise::blk::xen
