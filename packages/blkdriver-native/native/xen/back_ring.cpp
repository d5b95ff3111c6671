#include "xen/back_ring.h"

#include <atomic>
#include <bit>
#include <cassert>
#include <cstring>

namespace reprise::blk::xen {
namespace {

std::atomic_ref<std::uint32_t> index_at(std::span<std::byte> shared, std::size_t at) noexcept {
  return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(shared.data() + at));
}

std::uint32_t capacity_of(std::size_t shared_bytes, const Abi& abi) noexcept {
  return static_cast<std::uint32_t>(
      std::bit_floor((shared_bytes - kRingHeaderBytes) / abi.slot_bytes));
}

}  // namespace

BackRing::BackRing(std::span<std::byte> shared, const Abi& abi, std::uint32_t start) noexcept
    : shared_(shared),
      abi_(abi),
      capacity_(capacity_of(shared.size(), abi)),
      taken_(start),
      answered_(start) {
  assert(shared.size() >= kFrameBytes && shared.size() <= kFrameBytes << kMostRingPageOrder);
}

std::uint32_t BackRing::published(std::span<std::byte> shared) noexcept {
  return index_at(shared, kResponseProducer).load(std::memory_order_acquire);
}

std::span<std::byte> BackRing::slot(std::uint32_t index) const noexcept {
  const std::size_t at = kRingHeaderBytes + (index & (capacity_ - 1)) * abi_.slot_bytes;
  return shared_.subspan(at, abi_.slot_bytes);
}

std::optional<std::uint32_t> BackRing::waiting() const noexcept {
  const auto produced = index_at(shared_, kRequestProducer).load();
  // Unanswered requests occupy slots too, so the whole of them must fit.
  if (produced - answered_ > capacity_ || produced - answered_ < taken_ - answered_) {
    return std::nullopt;
  }
  return produced - taken_;
}

void BackRing::take(std::span<std::byte> out) noexcept {
  assert(out.size() >= abi_.slot_bytes && taken_ - answered_ < capacity_);
  std::memcpy(out.data(), slot(taken_).data(), abi_.slot_bytes);
  // The compiler may not go back to the guest's memory for what was copied.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  ++taken_;
}

bool BackRing::publish(const Response& response) noexcept {
  assert(answered_ != taken_);
  const auto out = slot(answered_);
  std::memcpy(out.data(), &response.id, sizeof response.id);
  std::memcpy(out.data() + 8, &response.op, sizeof response.op);
  std::memcpy(out.data() + 10, &response.status, sizeof response.status);
  const std::uint32_t before = answered_++;
  // The store must be seen before the guest's wish is read, as the guest does the
  // opposite: sequentially consistent, both.
  index_at(shared_, kResponseProducer).store(answered_);
  const std::uint32_t wish = index_at(shared_, kResponseEvent).load();
  return answered_ - wish < answered_ - before;
}

bool BackRing::arm() noexcept {
  index_at(shared_, kRequestEvent).store(taken_ + 1);
  const auto left = waiting();
  return !left || *left > 0;
}

}  // namespace reprise::blk::xen
