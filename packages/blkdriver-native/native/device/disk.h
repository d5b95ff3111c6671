#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <vector>

#include "device/copy_on_write.h"
#include "device/delay_injection.h"
#include "device/dirty_tracking.h"
#include "device/fault_injection.h"
#include "device/statistics.h"

namespace reprise::blk {

struct DiskOptions {
  Overlay::WriteOptions overlay;
  FaultOptions faults;
  DelayOptions delays;
  /// For measurements only: without it the overlay cannot be recovered after a power loss.
  bool tracking = true;
};

/// A whole writable disk: the layers of a stack and what they stand on.
///
///     Statistics -> (FaultInjection) -> (DelayInjection) -> DirtyTracking -> CopyOnWrite
///                                                                            |-- overlay
///                                                                            |-- sealed layers
///                                                                            `-- base image
class Disk {
 public:
  /// Throws Error. The overlay is locked until `close`.
  static std::unique_ptr<Disk> open(const std::filesystem::path& base,
                                    const std::vector<std::filesystem::path>& layers,
                                    const std::filesystem::path& overlay,
                                    const DiskOptions& options);

  /// What servers serve.
  BlockDevice& device() noexcept { return *statistics_; }
  CopyOnWrite& copy_on_write() noexcept { return *copy_on_write_; }
  Overlay& overlay() noexcept { return overlay_; }
  DirtyLog& log() noexcept { return *overlay_.log(); }
  DeviceCounts counts() const noexcept { return statistics_->counts(); }

  /// Flushes and gives the overlay free. No request may be running. Throws Error.
  void close();

 private:
  Disk(RawFile base, std::vector<Overlay> layers, Overlay overlay, const DiskOptions& options);

  RawFile base_;
  std::vector<Overlay> layers_;
  Overlay overlay_;
  std::unique_ptr<CopyOnWrite> copy_on_write_;
  std::unique_ptr<DirtyTracking> tracking_;
  std::unique_ptr<DelayInjection> delays_;
  std::unique_ptr<FaultInjection> faults_;
  std::unique_ptr<Statistics> statistics_;
};

/// Opens the read-only part of a chain. Throws Error where it is too long.
std::vector<Overlay> open_layers(const std::vector<std::filesystem::path>& layers);

/// Throws Error(kChainSizeMismatch) unless all layers have `size_bytes` and the base fits.
void check_sizes(const RawFile& base, std::span<const Overlay> layers, std::uint64_t size_bytes);

}  // namespace reprise::blk
