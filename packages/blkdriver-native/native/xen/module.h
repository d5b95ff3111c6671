#pragma once

#include <memory>
#include <optional>

#include "error.h"
#include "xen/vbd.h"

// Xen's libraries are linked into a shared object of its own (blkxen.so), so that
// the addon loads, and everything but Xen works, on a machine that has none of them.
namespace reprise::blk::xen {

/// Raised with every change of what crosses the border below.
inline constexpr std::uint32_t kModuleVersion = 2;

struct Module {
  std::uint32_t version;
  /// Null, with `failure` set, instead of an exception: none crosses.
  std::unique_ptr<Vbd> (*start)(BlockDevice& device, const VbdOptions& options, VbdEnded ended,
                                std::optional<Error>& failure) noexcept;
};

/// What blkxen.so exports, under kModuleEntry.
using ModuleEntry = const Module* (*)();
inline constexpr const char* kModuleEntry = "reprise_blkxen";

/// Loads blkxen.so from `directory`, once for the process, and starts to serve.
/// Throws Error: kXenUnavailable where it is not built or its libraries are not there.
std::unique_ptr<Vbd> start_vbd(const std::filesystem::path& directory, BlockDevice& device,
                               const VbdOptions& options, VbdEnded ended);

}  // namespace reprise::blk::xen
