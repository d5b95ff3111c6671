#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "xen/blkif_request.h"
#include "xen/guest_memory.h"
#include "xen/persistent_frames.h"

struct xengntdev_handle;

namespace reprise::blk::xen {

/// A guest's granted frames, reached through /dev/xen/gntdev: by grant copy (one
/// hypercall a request, nothing stays mapped), or, with a guest that reuses its
/// grants, by a copy to and from frames that stay mapped. Belongs to one thread.
class GuestGrants final : public GuestMemory, private FrameMapper {
 public:
  /// `most_persistent` 0: grant copy only. Throws Error(kXenUnavailable).
  GuestGrants(std::uint32_t domain, std::size_t most_persistent);
  ~GuestGrants() override;

  /// Maps the frames of a ring one behind the other, until `unmap_ring` or the end.
  /// Throws Error(kXenFailed).
  std::span<std::byte> map_ring(std::span<const std::uint32_t> grefs);

  std::error_code copy_in(std::span<const FramePart> parts, std::span<std::byte> out) override;
  std::error_code copy_out(std::span<const FramePart> parts,
                           std::span<const std::byte> in) override;

  /// Frames that are mapped now. From any thread.
  std::size_t persistent_frames() const noexcept {
    return persistent_count_.load(std::memory_order_relaxed);
  }

 private:
  struct Close {
    void operator()(xengntdev_handle* handle) const noexcept;
  };
  enum class Direction { kIn, kOut };

  std::byte* map(std::uint32_t gref) noexcept override;
  void unmap(std::byte* frame) noexcept override;
  /// Nothing where some frame cannot be mapped: then the grants are copied.
  template <typename Copy>
  bool through_mappings(std::span<const FramePart> parts, Copy&& copy);
  std::error_code grant_copy(Direction direction, std::span<const FramePart> parts,
                             std::byte* local);

  const std::uint32_t domain_;
  std::unique_ptr<xengntdev_handle, Close> handle_;
  std::span<std::byte> ring_;
  std::optional<PersistentFrames> persistent_;
  std::atomic<std::size_t> persistent_count_{0};
};

}  // namespace reprise::blk::xen
