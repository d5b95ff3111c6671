#pragma once

#include <array>
#include <atomic>
#include <functional>

#include "xen/back_ring.h"
#include "xen/request_executor.h"
#include "xen/response_journal.h"

namespace reprise::blk::xen {

/// One connection: takes requests off a ring, has them carried out in their
/// order, answers each. Belongs to one thread; knows neither Xen nor xenstore.
class RingServer {
 public:
  /// Wakes the guest up.
  using Notify = std::function<void()>;

  RingServer(BackRing ring, RequestExecutor& executor, ResponseJournal& journal, Notify notify);

  /// Publishes the response that a killed predecessor had begun to. Before the
  /// first `serve` of a ring that is taken over.
  void finish(const Response& response);

  enum class Outcome {
    kIdle,    ///< the guest will notify when there is more
    kMore,    ///< there is more already: call again
    kBroken,  ///< the guest has put an impossible index there
    kStopped,
  };
  /// One round, bounded by a few dozen requests however fast the guest adds more.
  Outcome serve(const std::atomic<bool>& stop);

 private:
  static constexpr std::uint32_t kBatch = 32;

  void answer(const Response& response);

  BackRing ring_;
  RequestExecutor& executor_;
  ResponseJournal& journal_;
  Notify notify_;
  std::array<BlkifRequest, kBatch> batch_;
};

}  // namespace reprise::blk::xen
