#include "xen/vbd_nodes.h"

#include <bit>
#include <limits>

#include "error.h"

namespace reprise::blk::xen {
namespace {

constexpr std::uint64_t kMost32 = std::numeric_limits<std::uint32_t>::max();
constexpr std::uint64_t kReadOnlyInfo = 4;  // VDISK_READONLY

std::string own_domain(const Xenstore& store) {
  // A driver domain may serve, too; dom0 need not have the node.
  return store.read("domid").value_or("0");
}

}  // namespace

VbdNodes::VbdNodes(Xenstore& store, const VbdOptions& options)
    : store_(store),
      domain_(options.domain),
      device_(options.device),
      read_only_(options.read_only),
      kind_(options.kind) {
  const std::string domain = std::to_string(domain_);
  const std::string guest = "/local/domain/" + domain;
  if (!store_.read(guest)) {
    throw Error(ErrorCode::kXenNoDomain,
                "There is no domain " + domain + ". `xl list` shows those that there are.");
  }
  backend_ = "/local/domain/" + own_domain(store) + "/backend/" + kind_ + "/" + domain + "/" +
             std::to_string(device_);
  frontend_ = guest + "/device/vbd/" + std::to_string(device_);
  if (const auto named = store_.read(backend_ + "/frontend")) frontend_ = *named;
  if (options.make_nodes) {
    make();
  } else if (!store_.read_state(backend_ + "/state")) {
    throw Error(ErrorCode::kXenFailed,
                "Domain " + domain + " has no disk " + device_name(device_) + " of kind " + kind_ +
                    ". Give it one in its configuration: see docs/xen.md.",
                backend_);
  }
}

void VbdNodes::make() {
  if (store_.read_state(backend_ + "/state") && store_.read_state(frontend_ + "/state")) return;
  const std::uint64_t own = parse_number(own_domain(store_), kMost32).value_or(0);
  const auto self = static_cast<std::uint32_t>(own);
  const auto initialising = static_cast<std::uint64_t>(XenbusState::kInitialising);
  store_.remove(backend_);
  store_.make_directory(backend_, self, domain_);
  store_.write(backend_ + "/frontend", frontend_);
  store_.write_number(backend_ + "/frontend-id", domain_);
  store_.write(backend_ + "/online", "1");
  store_.write(backend_ + "/removable", "0");
  store_.write(backend_ + "/bootable", "1");
  store_.write(backend_ + "/dev", device_name(device_));
  store_.write(backend_ + "/type", kind_);
  store_.write(backend_ + "/mode", read_only_ ? "r" : "w");
  store_.write(backend_ + "/device-type", "disk");
  store_.write_number(backend_ + "/state", initialising);
  store_.remove(frontend_);
  store_.make_directory(frontend_, domain_, self);
  store_.write(frontend_ + "/backend", backend_);
  store_.write_number(frontend_ + "/backend-id", self);
  store_.write_number(frontend_ + "/virtual-device", device_);
  store_.write(frontend_ + "/device-type", "disk");
  // The last one: the guest looks at the others as soon as it sees this.
  store_.write_number(frontend_ + "/state", initialising);
}

void VbdNodes::remove() noexcept {
  store_.remove(frontend_);
  store_.remove(backend_);
}

Situation VbdNodes::look(bool connected) const {
  Situation now;
  const auto frontend = store_.read_state(frontend_ + "/state");
  now.frontend_there = frontend.has_value();
  now.frontend = frontend.value_or(XenbusState::kUnknown);
  const auto backend = store_.read_state(backend_ + "/state");
  now.backend_there = backend.has_value();
  now.backend = backend.value_or(XenbusState::kUnknown);
  now.connected = connected;
  now.online = store_.read_number(backend_ + "/online", 1).value_or(0) == 1;
  return now;
}

bool VbdNodes::read_only() const {
  return read_only_ || store_.read(backend_ + "/mode").value_or("w") == "r";
}

void VbdNodes::publish_features(const VbdFeatures& features) {
  const auto flag = [&](const char* name, bool on) {
    store_.write(backend_ + "/" + name, on ? "1" : "0");
  };
  flag("feature-flush-cache", features.flush_cache);
  flag("feature-barrier", features.barriers);
  flag("feature-persistent", features.persistent_grants);
  const bool wanted = store_.read_number(backend_ + "/discard-enable", 1).value_or(1) == 1;
  const bool discard = features.discard && wanted && !read_only();
  flag("feature-discard", discard);
  if (discard) {
    store_.write_number(backend_ + "/discard-granularity", kFrameBytes);
    store_.write_number(backend_ + "/discard-alignment", 0);
    flag("discard-secure", false);
  }
  if (features.indirect_segments > 0) {
    store_.write_number(backend_ + "/feature-max-indirect-segments", features.indirect_segments);
  }
  // One fact in the two spellings that frontends read.
  store_.write_number(backend_ + "/max-ring-page-order", features.ring_page_order);
  store_.write_number(backend_ + "/max-ring-pages", std::uint64_t{1} << features.ring_page_order);
}

void VbdNodes::publish_disk(std::uint64_t sectors, bool is_read_only) {
  store_.write_number(backend_ + "/sectors", sectors);
  // Some frontends are wrong about any other size; blocks are 4 KiB underneath.
  store_.write_number(backend_ + "/sector-size", kSectorBytes);
  store_.write_number(backend_ + "/physical-sector-size",
                      sectors % kSectorsPerFrame == 0 ? kFrameBytes : kSectorBytes);
  store_.write_number(backend_ + "/info", is_read_only ? kReadOnlyInfo : 0);
}

void VbdNodes::set_state(XenbusState state) {
  store_.write_number(backend_ + "/state", static_cast<std::uint64_t>(state));
}

std::optional<std::uint64_t> VbdNodes::published_sectors() const {
  return store_.read_number(backend_ + "/sectors", std::numeric_limits<std::uint64_t>::max());
}

std::uint16_t VbdNodes::offered_indirect_segments() const {
  const auto offered =
      store_.read_number(backend_ + "/feature-max-indirect-segments", kMostIndirectSegments);
  return static_cast<std::uint16_t>(offered.value_or(0));
}

bool VbdNodes::offered_discard() const {
  return store_.read_number(backend_ + "/feature-discard", 1).value_or(0) == 1;
}

FrontendRing VbdNodes::read_ring() const {
  const auto unusable = [&](const std::string& what) {
    return Error(ErrorCode::kXenFailed,
                 "Domain " + std::to_string(domain_) + " asks for a ring with " + what +
                     ". Use a block frontend that keeps to what the backend offers.",
                 frontend_);
  };
  const auto number = [&](const std::string& name, std::uint64_t most) {
    return store_.read_number(frontend_ + "/" + name, most);
  };
  FrontendRing ring;
  const auto port = number("event-channel", kMost32);
  if (!port) throw unusable("no event channel");
  ring.event_channel = static_cast<std::uint32_t>(*port);

  const std::string protocol = store_.read(frontend_ + "/protocol").value_or("");
  if (protocol == "x86_32-abi") {
    ring.abi = kAbi32;
  } else if (!protocol.empty() && protocol != "x86_64-abi" && protocol != "arm-abi") {
    throw unusable("an unknown protocol");
  }
  if (number("multi-queue-num-queues", kMost32).value_or(1) != 1) throw unusable("many queues");

  const std::uint64_t offered =
      store_.read_number(backend_ + "/max-ring-page-order", kMostRingPageOrder).value_or(0);
  std::uint64_t pages = number("num-ring-pages", kMost32).value_or(1);
  if (store_.read(frontend_ + "/ring-page-order")) {
    const auto order = number("ring-page-order", offered);
    if (!order) throw unusable("more pages than offered");
    pages = std::uint64_t{1} << *order;
  }
  if (!std::has_single_bit(pages) || pages > std::uint64_t{1} << offered) {
    throw unusable("more pages than offered");
  }
  const bool numbered = pages > 1 || !store_.read(frontend_ + "/ring-ref");
  for (std::uint64_t page = 0; page < pages; ++page) {
    const auto gref = number(numbered ? "ring-ref" + std::to_string(page) : "ring-ref", kMost32);
    if (!gref) throw unusable("a page that is not granted");
    ring.grefs.push_back(static_cast<std::uint32_t>(*gref));
  }
  ring.persistent_grants = number("feature-persistent", 1).value_or(0) == 1 &&
                           store_.read_number(backend_ + "/feature-persistent", 1).value_or(0) == 1;
  return ring;
}

void VbdNodes::watch() {
  store_.watch(frontend_ + "/state");
  store_.watch(backend_ + "/online");
  store_.watch(backend_ + "/state");
}

}  // namespace reprise::blk::xen
