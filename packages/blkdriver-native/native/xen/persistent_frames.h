#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>

#include "xen/blkif_protocol.h"

namespace reprise::blk::xen {

/// Maps single frames of a guest and gives them back.
class FrameMapper {
 public:
  virtual ~FrameMapper() = default;
  /// Read-write; null where the guest has not granted that.
  virtual std::byte* map(std::uint32_t gref) noexcept = 0;
  virtual void unmap(std::byte* frame) noexcept = 0;
};

/// Frames that stay mapped because the guest promised to use them again
/// (feature-persistent). At most `most` of them: of a guest that grants more, the
/// one that was used longest ago makes room, as the protocol advises.
class PersistentFrames {
 public:
  PersistentFrames(FrameMapper& mapper, std::size_t most) : mapper_(mapper), most_(most) {}
  PersistentFrames(const PersistentFrames&) = delete;
  PersistentFrames& operator=(const PersistentFrames&) = delete;
  ~PersistentFrames();

  /// The frame, mapped now if it was not; empty where it cannot be mapped.
  std::span<std::byte> frame(std::uint32_t gref);

  std::size_t size() const noexcept { return index_.size(); }

 private:
  struct Mapped {
    std::uint32_t gref;
    std::byte* address;
  };
  using Order = std::list<Mapped>;  // most recently used first

  FrameMapper& mapper_;
  const std::size_t most_;
  Order order_;
  std::unordered_map<std::uint32_t, Order::iterator> index_;
};

}  // namespace reprise::blk::xen
