#pragma once

#include <napi.h>

#include <memory>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "device/disk.h"
#include "error.h"
#include "nbd/server.h"
#include "xen/vbd.h"

namespace reprise::blk::binding {

/// A disk with the servers that serve it. Whoever closes first, JavaScript, the
/// garbage collector or the end of the environment, servers go before the disk.
class OpenDisk {
 public:
  static constexpr napi_type_tag kTag = {0x9a3f51d07c1b4e62, 0xb1d0c4a26e7f8b01};

  explicit OpenDisk(std::unique_ptr<Disk> disk)
      : disk_(std::move(disk)), size_bytes_(disk_->device().size_bytes()) {}
  ~OpenDisk() {
    try {
      close();
    } catch (const Error&) {
      // Nobody is left to tell; the overlay stays "open" and is recovered next time.
    }
  }

  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Calls `use(Disk&)` while the disk cannot be closed. Throws Error(kDiskClosed).
  template <typename Use>
  auto with(Use&& use) {
    const std::shared_lock lock(mutex_);
    if (!disk_) {
      throw Error(ErrorCode::kDiskClosed,
                  "The virtual disk is closed. Open it again with VirtualDisk.open().");
    }
    return use(*disk_);
  }

  std::shared_ptr<nbd::Server> serve(const nbd::ServerOptions& options) {
    return with([&](Disk& disk) {
      auto server = std::make_shared<nbd::Server>(disk.device(), options);
      const std::lock_guard lock(servers_mutex_);
      servers_.push_back(server);
      return server;
    });
  }

  /// `start(BlockDevice&)` gives a device that is being served.
  template <typename Start>
  std::shared_ptr<xen::Vbd> serve_xen(Start&& start) {
    return with([&](Disk& disk) {
      std::shared_ptr<xen::Vbd> vbd = start(disk.device());
      const std::lock_guard lock(servers_mutex_);
      std::erase_if(vbds_,
                    [](const auto& old) { return old->report().state == xen::VbdState::kEnded; });
      vbds_.push_back(vbd);
      return vbd;
    });
  }

  nbd::ServerCounts server_counts() {
    const std::lock_guard lock(servers_mutex_);
    nbd::ServerCounts sum;
    for (const auto& server : servers_) {
      const auto counts = server->counts();
      sum.open += counts.open;
      sum.accepted += counts.accepted;
      sum.refused += counts.refused;
    }
    return sum;
  }

  void close() {
    close_servers();
    const std::unique_lock lock(mutex_);
    if (!disk_) return;
    close_servers();  // one may have started meanwhile
    const std::unique_ptr<Disk> disk = std::move(disk_);
    disk->close();
  }

 private:
  void close_servers() {
    const std::lock_guard lock(servers_mutex_);
    for (const auto& server : servers_) server->close();
    // Guests wait for a successor, as NBD clients do.
    for (const auto& vbd : vbds_) vbd->close(xen::VbdClose::kLeave);
  }

  std::shared_mutex mutex_;
  std::unique_ptr<Disk> disk_;
  const std::uint64_t size_bytes_;
  std::mutex servers_mutex_;
  std::vector<std::shared_ptr<nbd::Server>> servers_;
  std::vector<std::shared_ptr<xen::Vbd>> vbds_;
};

/// The functions on a writable disk and on its servers.
void define_disk_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
