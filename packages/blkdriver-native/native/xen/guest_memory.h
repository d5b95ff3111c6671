#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <system_error>

namespace reprise::blk::xen {

/// A stretch of a frame that the guest has granted.
struct FramePart {
  std::uint32_t gref = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;  ///< offset + length is at most kFrameBytes
};

/// How request data crosses between the guest's frames and ours. The guest may
/// revoke or change a frame at any time: then a copy fails, or has what it has.
class GuestMemory {
 public:
  virtual ~GuestMemory() = default;

  /// The parts, one after the other, into `out`, which has their total length.
  [[nodiscard]] virtual std::error_code copy_in(std::span<const FramePart> parts,
                                                std::span<std::byte> out) = 0;
  [[nodiscard]] virtual std::error_code copy_out(std::span<const FramePart> parts,
                                                 std::span<const std::byte> in) = 0;
};

}  // namespace reprise::blk::xen
