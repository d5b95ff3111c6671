#include "xen/served_disk.h"

#include <thread>

#include "error.h"

namespace reprise::blk::xen {
namespace {

constexpr auto kRetryPause = std::chrono::milliseconds(50);

std::unique_ptr<Disk> open_patiently(const DiskFile& file, std::chrono::milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (true) {
    try {
      return Disk::open(file.base, file.layers, file.overlay, {});
    } catch (const Error& error) {
      const bool busy = error.code() == ErrorCode::kOverlayBusy;
      if (!busy || std::chrono::steady_clock::now() >= deadline) throw;
    }
    std::this_thread::sleep_for(kRetryPause);
  }
}

}  // namespace

ServedDisk::ServedDisk(const DiskFile& file, VbdOptions options, std::chrono::milliseconds patience,
                       VbdEnded ended)
    : disk_(open_patiently(file, patience)) {
  options.features = file.features;
  options.read_only = options.read_only || file.read_only;
  options.disk = disk_->overlay().identifier();
  vbd_ = std::make_unique<VbdThread>(disk_->device(), options, std::move(ended));
}

ServedDisk::~ServedDisk() {
  try {
    close(VbdClose::kLeave);
  } catch (const Error&) {
    // Nobody is left to tell; the overlay stays "open" and is recovered next time.
  }
}

void ServedDisk::close(VbdClose how) {
  if (closed_) return;
  vbd_->close(how);
  closed_ = true;
  disk_->close();
}

}  // namespace reprise::blk::xen
