// reprise-device-model: what a domain's device_model_override names. libxl starts it
// for a paravirtual guest with "qdisk" disks, as it would start QEMU, and ends it with
// the domain. Serves every such disk, also one that is attached later. Started again
// after a kill (`reprise-device-model -d DOMAIN`), it goes on where its predecessor was.
#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cstdio>
#include <exception>
#include <map>
#include <string_view>

#include "xen/report_json.h"
#include "xen/served_disk.h"
#include "xen/signals.h"

using namespace reprise::blk;
using namespace reprise::blk::xen;

namespace {

constexpr auto kPatience = std::chrono::seconds(20);
constexpr std::uint64_t kMostDomain = 0x7ff0;
constexpr unsigned kWatchesARound = 64;

class DeviceModel {
 public:
  explicit DeviceModel(std::uint32_t domain)
      : domain_(domain),
        signals_(ending_signals()),
        ended_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
        guest_("/local/domain/" + std::to_string(domain)),
        backends_("/local/domain/0/backend/qdisk/" + std::to_string(domain)) {
    if (!ended_) throw_os_error("create", "an eventfd", errno);
  }

  /// Until the domain is gone or a signal comes.
  void run() {
    for (const std::string& name : store_.list(backends_)) serve(name);
    store_.watch(backends_);
    store_.watch("@releaseDomain");  // some domain has ended; which is seen below
    store_.write("/local/domain/0/device-model/" + std::to_string(domain_) + "/state", "running");
    bool signalled = false;
    while (!signalled && store_.read(guest_)) {
      signalled = wait();
      reap();
      if (!signalled) serve_new();
    }
    for (auto& [device, disk] : disks_) finish(device, disk);
  }

 private:
  void serve(const std::string& name) {
    const auto device = parse_number(name, ~std::uint32_t{0});
    if (!device) return;
    VbdOptions options;
    options.domain = domain_;
    options.device = static_cast<std::uint32_t>(*device);
    options.kind = "qdisk";
    options.make_nodes = false;
    // libxl puts the format in front: "aio:/path" for format=raw.
    std::string path = store_.read(backends_ + "/" + name + "/params").value_or("");
    path.erase(0, path.find(':') + 1);
    disks_.try_emplace(options.device, read_disk_file(path), options, kPatience,
                       [this] { ::eventfd_write(ended_.get(), 1); });
    std::printf("serving %s from %s\n", device_name(options.device).c_str(), path.c_str());
    std::fflush(stdout);
  }

  /// A disk that cannot be served must not take the others down.
  void serve_new() {
    for (const std::string& name : store_.list(backends_)) {
      const auto device = parse_number(name, ~std::uint32_t{0});
      const std::string state = backends_ + "/" + name + "/state";
      if (!device || disks_.contains(static_cast<std::uint32_t>(*device)) ||
          store_.read_state(state) != XenbusState::kInitialising) {
        continue;
      }
      try {
        serve(name);
      } catch (const Error& error) {
        std::fprintf(stderr, "reprise-device-model: %s\n", error.what());
        store_.write(state, std::to_string(static_cast<int>(XenbusState::kClosed)));
      }
    }
  }

  void reap() {
    for (auto at = disks_.begin(); at != disks_.end();) {
      if (at->second.report().state != VbdState::kEnded) {
        ++at;
        continue;
      }
      finish(at->first, at->second);
      at = disks_.erase(at);
    }
  }

  static void finish(std::uint32_t device, ServedDisk& disk) {
    disk.close(VbdClose::kLeave);
    const VbdReport report = disk.report();
    std::puts(to_json(device, report).c_str());
    std::fflush(stdout);
    if (!report.error.empty()) {
      std::fprintf(stderr, "reprise-device-model: %s\n", report.error.c_str());
    }
  }

  /// True where a signal came.
  bool wait() {
    std::array<pollfd, 3> sources{
        {{signals_.get(), POLLIN, 0}, {ended_.get(), POLLIN, 0}, {store_.fd(), POLLIN, 0}}};
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) {
      throw_os_error("wait for", "the guest", errno);
    }
    (void)store_.drain_watches(kWatchesARound);  // every turn looks
    eventfd_t ignored = 0;
    ::eventfd_read(ended_.get(), &ignored);
    return sources[0].revents != 0 && take_signal(signals_) != 0;
  }

  const std::uint32_t domain_;
  const UniqueFd signals_;
  const UniqueFd ended_;
  const std::string guest_;
  const std::string backends_;
  Xenstore store_;
  std::map<std::uint32_t, ServedDisk> disks_;
};

/// libxl's other arguments are for a QEMU; both of its dialects name the domain.
std::optional<std::uint64_t> domain_argument(int argc, char** argv) {
  for (int i = 1; i + 1 < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "-d" || name == "-xen-domid") return parse_number(argv[i + 1], kMostDomain);
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const auto domain = domain_argument(argc, argv);
  if (!domain) {
    std::fputs(
        "usage: reprise-device-model -d DOMAIN\n"
        "Usually xl starts it: device_model_override names it in the domain's configuration.\n",
        stderr);
    return 2;
  }
  try {
    DeviceModel(static_cast<std::uint32_t>(*domain)).run();
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "reprise-device-model: %s\n", error.what());
    return 1;
  }
}
