#include <dlfcn.h>

#include "xen/module.h"

namespace reprise::blk::xen {
namespace {

Error unavailable(const std::filesystem::path& path, const std::string& why) {
  return Error(ErrorCode::kXenUnavailable, "Disks cannot be served to Xen guests here: " + why,
               path);
}

const Module& load(const std::filesystem::path& directory) {
  const auto path = directory / "blkxen.so";
  if (!std::filesystem::exists(path)) {
    throw unavailable(path,
                      "the driver was built without Xen. Install libxen-dev and run `pnpm run "
                      "build:native`.");
  }
  // Never unloaded: threads of libxenstore may outlive whatever we hold.
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    throw unavailable(path, std::string(::dlerror()) +
                                ". Install Xen's libraries (Debian: xen-utils), or do without.");
  }
  const auto entry = reinterpret_cast<ModuleEntry>(::dlsym(library, kModuleEntry));
  const Module* const module = entry == nullptr ? nullptr : entry();
  if (module == nullptr || module->version != kModuleVersion) {
    throw unavailable(path, "blkxen.so is of another build. Run `pnpm run build:native`.");
  }
  return *module;
}

}  // namespace

std::unique_ptr<Vbd> start_vbd(const std::filesystem::path& directory, BlockDevice& device,
                               const VbdOptions& options, VbdEnded ended) {
  static const Module& module = load(directory);  // tried again after a failure
  std::optional<Error> failure;
  auto vbd = module.start(device, options, std::move(ended), failure);
  if (failure) throw Error(*failure);
  return vbd;
}

}  // namespace reprise::blk::xen
