// reprise-blkback: serves one disk to one Xen domain until the domain or the disk goes.
//   reprise-blkback DOMAIN DEVICE DISK-FILE [KIND]
// SIGTERM and SIGINT take the disk away in order; SIGHUP leaves the guest waiting for
// a successor. Prints "ready" when the disk is offered, a line of JSON at the end.
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdio>
#include <exception>

#include "xen/report_json.h"
#include "xen/served_disk.h"
#include "xen/signals.h"

using namespace reprise::blk;
using namespace reprise::blk::xen;

namespace {

constexpr auto kPatience = std::chrono::seconds(10);
constexpr std::uint64_t kMostDomain = 0x7ff0;

int usage() {
  std::fputs(
      "usage: reprise-blkback DOMAIN DEVICE DISK-FILE [KIND]\n"
      "  DOMAIN     a number, as `xl domid` prints it\n"
      "  DEVICE     xvda to xvdz, or a number\n"
      "  DISK-FILE  says what the disk is made of: see docs/xen.md\n"
      "  KIND       directory of xenstore below backend/; without it \"reprise\", and the\n"
      "             device's nodes are made here\n",
      stderr);
  return 2;
}

int serve(std::uint32_t domain, std::uint32_t device, const char* file, const char* kind) {
  const UniqueFd signals = ending_signals();
  const UniqueFd ended(::eventfd(0, EFD_CLOEXEC));
  if (!ended) throw_os_error("create", "an eventfd", errno);
  VbdOptions options;
  options.domain = domain;
  options.device = device;
  if (kind != nullptr) {
    options.kind = kind;
    options.make_nodes = false;
  }
  ServedDisk disk(read_disk_file(file), options, kPatience,
                  [&] { ::eventfd_write(ended.get(), 1); });
  std::puts("ready");
  std::fflush(stdout);
  std::array<pollfd, 2> sources{{{signals.get(), POLLIN, 0}, {ended.get(), POLLIN, 0}}};
  while (::poll(sources.data(), sources.size(), -1) < 0 && errno == EINTR) {
  }
  const bool leave = sources[0].revents != 0 && take_signal(signals) == SIGHUP;
  disk.close(leave ? VbdClose::kLeave : VbdClose::kOrderly);
  const VbdReport report = disk.report();
  std::puts(to_json(device, report).c_str());
  if (report.end != VbdEnd::kFailed) return 0;
  std::fprintf(stderr, "reprise-blkback: %s\n", report.error.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4 || argc > 5) return usage();
  const auto domain = parse_number(argv[1], kMostDomain);
  const auto device = parse_device(argv[2]);
  if (!domain || !device) return usage();
  try {
    return serve(static_cast<std::uint32_t>(*domain), *device, argv[3],
                 argc > 4 ? argv[4] : nullptr);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reprise-blkback: %s\n", error.what());
    return 1;
  }
}
