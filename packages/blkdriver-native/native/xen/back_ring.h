#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "xen/blkif_protocol.h"

namespace reprise::blk::xen {

struct Response {
  std::uint64_t id = 0;
  std::uint8_t op = 0;
  Status status = Status::kOkay;
};

/// The backend's end of a blkif ring in memory that the guest can write at any
/// time. Only the request producer is ever read back from it after the start, and
/// it is checked; all other indexes are kept here.
///
/// Requests are answered in their order, each response published by itself. So
/// the requests from the response producer on are always whole and unanswered,
/// and a backend that takes over from a killed one begins exactly there.
class BackRing {
 public:
  /// `shared` is one or more whole frames, at most 2^kMostRingPageOrder, and
  /// outlives the ring. `start` is 0 for a fresh ring, `published(shared)` for one
  /// whose backend has died.
  BackRing(std::span<std::byte> shared, const Abi& abi, std::uint32_t start) noexcept;

  /// The response producer as it stands in the memory of a ring.
  static std::uint32_t published(std::span<std::byte> shared) noexcept;

  std::uint32_t capacity() const noexcept { return capacity_; }
  const Abi& abi() const noexcept { return abi_; }

  /// Requests that can be taken; nothing where the guest's index is impossible,
  /// and then the ring cannot be used any more.
  std::optional<std::uint32_t> waiting() const noexcept;

  /// Copies the next slot, once, into `out` (`abi().slot_bytes` bytes).
  void take(std::span<std::byte> out) noexcept;

  /// Index of the next response.
  std::uint32_t next_response() const noexcept { return answered_; }

  /// Answers the oldest request that has no answer. True where the guest wants to be notified.
  bool publish(const Response& response) noexcept;

  /// Asks the guest to notify when it adds a request. True where one came meanwhile.
  bool arm() noexcept;

 private:
  std::span<std::byte> slot(std::uint32_t index) const noexcept;

  std::span<std::byte> shared_;
  Abi abi_;
  std::uint32_t capacity_;
  std::uint32_t taken_;     // requests, since the ring was made
  std::uint32_t answered_;  // never above taken_
};

}  // namespace reprise::blk::xen
