#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "xen/vbd.h"

namespace reprise::blk::xen {

/// What the line `disk=` of a domain's configuration names for us: a small text
/// file, because xl hands a device model one path a disk. See docs/xen.md.
///
///     base /var/lib/vm/base.img
///     layer /var/lib/vm/monday
///     overlay /var/lib/vm/today
struct DiskFile {
  std::filesystem::path base;
  std::vector<std::filesystem::path> layers;  ///< oldest first
  std::filesystem::path overlay;
  bool read_only = false;
  VbdFeatures features;
};

/// Throws Error(kInvalidArgument), naming the line.
DiskFile parse_disk_file(std::string_view text, const std::filesystem::path& path);
/// Throws Error, also kIoFailed.
DiskFile read_disk_file(const std::filesystem::path& path);

}  // namespace reprise::blk::xen
