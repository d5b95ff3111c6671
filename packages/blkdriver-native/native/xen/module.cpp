#include "xen/module.h"

#include <new>

#include "xen/vbd_thread.h"

namespace reprise::blk::xen {
namespace {

std::unique_ptr<Vbd> start(BlockDevice& device, const VbdOptions& options, VbdEnded ended,
                           std::optional<Error>& failure) noexcept {
  try {
    return std::make_unique<VbdThread>(device, options, std::move(ended));
  } catch (const Error& error) {
    failure.emplace(error);
  } catch (const std::exception& error) {
    failure.emplace(ErrorCode::kXenFailed, std::string("The disk cannot be served to Xen: ") +
                                               error.what() +
                                               ". Free memory or threads and try again.");
  }
  return nullptr;
}

constexpr Module kModule{kModuleVersion, start};

}  // namespace
}  // namespace reprise::blk::xen

extern "C" __attribute__((visibility("default"))) const reprise::blk::xen::Module*
reprise_blkxen() {
  return &reprise::blk::xen::kModule;
}
