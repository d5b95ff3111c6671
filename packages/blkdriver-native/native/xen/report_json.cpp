#include "xen/report_json.h"

#include <sstream>
#include <string_view>

namespace reprise::blk::xen {
namespace {

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

}  // namespace

std::string to_json(std::uint32_t device, const VbdReport& report) {
  std::ostringstream out;
  const VbdCounts& counts = report.counts;
  out << R"({"device":")" << device_name(device) << R"(","end":")" << end_name(report.end)
      << R"(","connections":)" << report.connections << R"(,"takenOver":)" << report.taken_over
      << R"(,"brokenRings":)" << report.broken_rings << R"(,"ringRequests":)"
      << report.ring_requests << R"(,"looks":)" << report.looks << R"(,"requests":)"
      << counts.requests << R"(,"reads":)" << counts.reads << R"(,"writes":)" << counts.writes
      << R"(,"flushes":)" << counts.flushes << R"(,"barriers":)" << counts.barriers
      << R"(,"discards":)" << counts.discards << R"(,"indirect":)" << counts.indirect
      << R"(,"refused":)" << counts.refused << R"(,"failed":)" << counts.failed
      << R"(,"bytesRead":)" << counts.bytes_read << R"(,"bytesWritten":)" << counts.bytes_written
      << "}";
  return out.str();
}

}  // namespace reprise::blk::xen
