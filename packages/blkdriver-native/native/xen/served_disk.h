#pragma once

#include <chrono>
#include <memory>

#include "device/disk.h"
#include "xen/disk_file.h"
#include "xen/vbd_thread.h"

namespace reprise::blk::xen {

/// A disk that a program of its own opens and serves.
class ServedDisk {
 public:
  /// Waits up to `patience` for a predecessor to give the overlay free, as there is
  /// one after `xl save` and `xl restore`. Throws Error.
  ServedDisk(const DiskFile& file, VbdOptions options, std::chrono::milliseconds patience,
             VbdEnded ended);
  ~ServedDisk();

  VbdReport report() const { return vbd_->report(); }
  /// Ends serving and gives the overlay free. Idempotent. Throws Error.
  void close(VbdClose how);

 private:
  std::unique_ptr<Disk> disk_;
  std::unique_ptr<VbdThread> vbd_;
  bool closed_ = false;
};

}  // namespace reprise::blk::xen
