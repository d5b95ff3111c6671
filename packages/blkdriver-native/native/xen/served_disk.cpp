#include "xen/served_disk.h"

#include <sstream>
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

std::string_view end_name(VbdEnd end) noexcept {
  switch (end) {
    case VbdEnd::kNone:
      return "none";
    case VbdEnd::kClosed:
      return "closed";
    case VbdEnd::kFrontendGone:
      return "frontend-gone";
    case VbdEnd::kRemoved:
      return "removed";
    case VbdEnd::kFailed:
      return "failed";
  }
  return "none";
}

std::string to_json(std::uint32_t device, const VbdReport& report) {
  std::ostringstream out;
  const VbdCounts& counts = report.counts;
  out << R"({"device":")" << device_name(device) << R"(","end":")" << end_name(report.end)
      << R"(","connections":)" << report.connections << R"(,"takenOver":)" << report.taken_over
      << R"(,"brokenRings":)" << report.broken_rings << R"(,"ringRequests":)"
      << report.ring_requests << R"(,"requests":)" << counts.requests << R"(,"reads":)"
      << counts.reads << R"(,"writes":)" << counts.writes << R"(,"flushes":)" << counts.flushes
      << R"(,"barriers":)" << counts.barriers << R"(,"discards":)" << counts.discards
      << R"(,"indirect":)" << counts.indirect << R"(,"refused":)" << counts.refused
      << R"(,"failed":)" << counts.failed << R"(,"bytesRead":)" << counts.bytes_read
      << R"(,"bytesWritten":)" << counts.bytes_written << "}";
  return out.str();
}

}  // namespace reprise::blk::xen
