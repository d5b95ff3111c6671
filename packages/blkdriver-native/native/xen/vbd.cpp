#include "xen/vbd.h"

#include "xen/xenstore.h"

// Numbers of devices: xen/docs/misc/vbd-interface (major 202 for xvd, the extended
// form from the 17th disk on). Whole disks only: a partition is not a disk of ours.
namespace reprise::blk::xen {
namespace {

constexpr std::uint32_t kXvdMajor = 202;
constexpr std::uint32_t kClassicDisks = 16;
constexpr std::uint32_t kExtended = 1u << 28;
constexpr std::uint32_t kMostDisks = 26;

}  // namespace

std::optional<std::uint32_t> parse_device(std::string_view name) noexcept {
  if (name.size() == 4 && name.starts_with("xvd") && name[3] >= 'a' && name[3] <= 'z') {
    const auto disk = static_cast<std::uint32_t>(name[3] - 'a');
    return disk < kClassicDisks ? kXvdMajor << 8 | disk << 4 : kExtended | disk << 8;
  }
  const auto number = parse_number(name, (kExtended << 1) - 1);
  return number ? std::optional(static_cast<std::uint32_t>(*number)) : std::nullopt;
}

std::string device_name(std::uint32_t device) {
  std::uint32_t disk = kMostDisks;
  if (device >> 8 == kXvdMajor && (device & 15) == 0) disk = (device & 255) >> 4;
  if ((device & kExtended) != 0 && (device & 255) == 0) disk = (device & ~kExtended) >> 8;
  if (disk >= kMostDisks) return std::to_string(device);
  return std::string("xvd") + static_cast<char>('a' + disk);
}

}  // namespace reprise::blk::xen
