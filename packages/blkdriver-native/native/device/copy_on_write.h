#pragma once

#include <span>

#include "device/block_device.h"
#include "device/block_gate.h"
#include "device/raw_file.h"
#include "error.h"
#include "overlay/layer_map.h"
#include "overlay/overlay.h"

namespace reprise::blk {

/// The bottom of the stack: base image, read-only layers, and, where the disk is
/// writable, the overlay on top. A block is looked up in the overlay's presence
/// map, then in the layer map: two loads, whatever the length of the chain.
///
/// Order of a first write: data, then presence. So a block whose state is "data"
/// always has it, also after a kill between the two.
class CopyOnWrite final : public BlockDevice {
 public:
  /// `top` may be null: a view that cannot be written.
  CopyOnWrite(const RawFile& base, std::span<const Overlay> layers, Overlay* top,
              std::uint64_t size_bytes);

  std::uint64_t size_bytes() const noexcept override { return size_bytes_; }
  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override;
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override;
  std::error_code flush() override;
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override;
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override;
  std::error_code cache(std::uint64_t offset, std::uint64_t length) override;
  std::error_code status(StatusKind kind, std::uint64_t offset, std::uint64_t length,
                         const ExtentVisitor& visit) override;

  /// As the guest would see it without the overlay.
  std::error_code read_below(std::uint64_t offset, std::span<std::byte> out);

  /// Where a run of blocks is read from.
  struct Source {
    int fd = -1;            ///< none: zeros
    std::uint8_t file = 0;  ///< 0 base, 1.. layers, kTopFile the overlay
    std::uint64_t blocks = 0;
  };
  static constexpr std::uint8_t kTopFile = 254;
  Source source_of(std::uint64_t block, std::uint64_t limit) const noexcept;

 private:
  Source source_below(std::uint64_t block, std::uint64_t limit) const noexcept;
  bool reads_as_zeros_here(std::uint64_t block) const noexcept;
  template <typename Lookup>
  std::error_code read_runs(std::uint64_t offset, std::span<std::byte> out, Wait wait,
                            Lookup&& lookup);
  std::error_code write_blocks(BlockRange range, std::span<const std::byte> data);
  std::error_code write_part(std::uint64_t offset, std::span<const std::byte> data);
  std::error_code discard_blocks(BlockRange range, ZeroOptions options);
  std::error_code status_allocation(std::uint64_t offset, std::uint64_t length,
                                    const ExtentVisitor& visit);
  std::error_code status_dirty(std::uint64_t offset, std::uint64_t length,
                               const ExtentVisitor& visit);

  const RawFile& base_;
  std::span<const Overlay> layers_;
  Overlay* top_;
  std::uint64_t size_bytes_;
  LayerMap layer_map_;
  BlockGate gate_;
};

}  // namespace reprise::blk
