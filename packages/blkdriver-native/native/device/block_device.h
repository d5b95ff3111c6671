#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <system_error>

#include "platform/file.h"

namespace reprise::blk {

/// How WRITE_ZEROES may be done.
struct ZeroOptions {
  bool keep_allocated = false;  ///< space for the range must be there afterwards
  bool only_if_fast = false;    ///< fail with operation_not_supported rather than write zeros
};

/// What a client may ask about a range.
enum class StatusKind : std::uint8_t {
  kAllocation,  ///< NBD's base:allocation: bit 0 hole, bit 1 reads as zeros
  kDirty,       ///< bit 0: changed since the overlay was created
};

inline constexpr std::uint32_t kStatusHole = 1;
inline constexpr std::uint32_t kStatusZero = 2;
inline constexpr std::uint32_t kStatusDirty = 1;

/// Gets one run at a time, in order; false ends the walk.
using ExtentVisitor = std::function<bool(std::uint64_t length_bytes, std::uint32_t flags)>;

/// What a server (NBD, blkif) serves. Layers implement it over another one.
///
/// Every call may come from any thread, many at once. Ranges lie inside the disk
/// and lengths are not 0: servers check what clients send. A 4 KiB block reads as
/// its old or its new content, never as a mixture, and a write that has returned
/// is seen by every later read, from any server and any connection. A flush makes
/// durable whatever had returned before it began.
class BlockDevice {
 public:
  virtual ~BlockDevice() = default;

  virtual std::uint64_t size_bytes() const noexcept = 0;

  /// With Wait::kNever it fails with resource_unavailable_try_again rather than
  /// sleep for a disk; `out` then holds nothing of use.
  [[nodiscard]] virtual std::error_code read(std::uint64_t offset, std::span<std::byte> out,
                                             Wait wait) = 0;
  [[nodiscard]] virtual std::error_code write(std::uint64_t offset,
                                              std::span<const std::byte> data) = 0;
  [[nodiscard]] virtual std::error_code flush() = 0;

  /// A hint: whole blocks of the range read as zeros afterwards, parts of blocks stay.
  [[nodiscard]] virtual std::error_code trim(std::uint64_t offset, std::uint64_t length) = 0;
  /// Not a hint: every byte of the range reads as zero afterwards.
  [[nodiscard]] virtual std::error_code zero(std::uint64_t offset, std::uint64_t length,
                                             ZeroOptions options) = 0;
  /// A hint that the range will be read soon.
  [[nodiscard]] virtual std::error_code cache(std::uint64_t offset, std::uint64_t length) = 0;

  /// Describes the range run by run until it ends or `visit` says stop.
  [[nodiscard]] virtual std::error_code status(StatusKind kind, std::uint64_t offset,
                                               std::uint64_t length,
                                               const ExtentVisitor& visit) = 0;
};

/// A layer that passes everything on; others override what they are about.
class BlockLayer : public BlockDevice {
 public:
  explicit BlockLayer(BlockDevice& below) noexcept : below_(below) {}

  std::uint64_t size_bytes() const noexcept override { return below_.size_bytes(); }
  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override {
    return below_.read(offset, out, wait);
  }
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override {
    return below_.write(offset, data);
  }
  std::error_code flush() override { return below_.flush(); }
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override {
    return below_.trim(offset, length);
  }
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) override {
    return below_.zero(offset, length, options);
  }
  std::error_code cache(std::uint64_t offset, std::uint64_t length) override {
    return below_.cache(offset, length);
  }
  std::error_code status(StatusKind kind, std::uint64_t offset, std::uint64_t length,
                         const ExtentVisitor& visit) override {
    return below_.status(kind, offset, length, visit);
  }

 protected:
  BlockDevice& below() const noexcept { return below_; }

 private:
  BlockDevice& below_;
};

}  // namespace reprise::blk
