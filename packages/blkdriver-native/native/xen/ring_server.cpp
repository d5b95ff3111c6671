#include "xen/ring_server.h"

#include <algorithm>

namespace reprise::blk::xen {

RingServer::RingServer(BackRing ring, RequestExecutor& executor, ResponseJournal& journal,
                       Notify notify)
    : ring_(ring), executor_(executor), journal_(journal), notify_(std::move(notify)) {}

void RingServer::finish(const Response& response) {
  const auto waiting = ring_.waiting();
  if (!waiting || *waiting == 0) return;  // `serve` will say that it is broken
  std::array<std::byte, kAbi64.slot_bytes> half_answered;
  ring_.take(half_answered);
  answer(response);
}

RingServer::Outcome RingServer::serve(const std::atomic<bool>& stop) {
  const auto waiting = ring_.waiting();
  if (!waiting) return Outcome::kBroken;
  const std::uint32_t n = std::min(*waiting, kBatch);
  std::array<std::byte, kAbi64.slot_bytes> slot;
  for (std::uint32_t i = 0; i < n; ++i) {
    ring_.take(slot);
    batch_[i] = decode_request(slot, ring_.abi());
  }
  const auto batch = std::span<const BlkifRequest>(batch_).first(n);
  for (std::uint32_t i = 0; i < n; ++i) {
    // What is left unanswered stays in the ring for a successor.
    if (stop.load(std::memory_order_relaxed)) return Outcome::kStopped;
    const auto status = executor_.carry_out(batch[i], batch.subspan(i + 1), stop);
    if (!status) return Outcome::kStopped;
    answer({batch[i].id, batch[i].answered_op(), *status});
  }
  if (n < *waiting) return Outcome::kMore;
  return ring_.arm() ? Outcome::kMore : Outcome::kIdle;
}

void RingServer::answer(const Response& response) {
  journal_.record(ring_.next_response(), response);
  if (ring_.publish(response)) notify_();
}

}  // namespace reprise::blk::xen
