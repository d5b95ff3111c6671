#pragma once

#include <napi.h>

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "device/disk.h"
#include "error.h"
#include "nbd/server.h"
#include "xen/vbd.h"

namespace reprise::blk::binding {

/// A disk with the servers that serve it. Whoever closes first, JavaScript, the
/// garbage collector or the end of the environment, servers go before the disk.
///
/// `mutex_` is only ever held for moments: JavaScript's own thread asks for counts.
class OpenDisk {
 public:
  static constexpr napi_type_tag kTag = {0x9a3f51d07c1b4e62, 0xb1d0c4a26e7f8b01};

  explicit OpenDisk(std::unique_ptr<Disk> disk)
      : disk_(std::move(disk)), size_bytes_(disk_->device().size_bytes()) {}
  ~OpenDisk();

  std::uint64_t size_bytes() const noexcept { return size_bytes_; }

  /// Calls `use(Disk&)`; the disk is not closed before it returns. Throws
  /// Error(kDiskClosed), also while the disk is being closed.
  template <typename Use>
  auto with(Use&& use) {
    const User user(*this);
    return use(*disk_);
  }

  std::shared_ptr<nbd::Server> serve(const nbd::ServerOptions& options);
  void close_server(const std::shared_ptr<nbd::Server>& server);

  /// `start(BlockDevice&)` gives a device that is being served.
  template <typename Start>
  std::shared_ptr<xen::Vbd> serve_xen(Start&& start) {
    return with([&](Disk& disk) {
      std::shared_ptr<xen::Vbd> vbd = start(disk.device());
      const std::lock_guard lock(mutex_);
      std::erase_if(vbds_,
                    [](const auto& old) { return old->report().state == xen::VbdState::kEnded; });
      vbds_.push_back(vbd);
      return vbd;
    });
  }

  /// Of all servers that there are and were.
  nbd::ServerCounts server_counts();

  /// Whoever calls it, the disk is closed when this returns. Idempotent. Throws Error.
  void close();

 private:
  /// Keeps the disk open while it exists.
  class User {
   public:
    explicit User(OpenDisk& disk);
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    ~User();

   private:
    OpenDisk& disk_;
  };

  void close_servers();
  void forget(const std::shared_ptr<nbd::Server>& server);

  std::mutex mutex_;
  std::condition_variable unused_;
  std::unique_ptr<Disk> disk_;
  const std::uint64_t size_bytes_;
  std::size_t users_ = 0;
  bool closing_ = false;
  std::vector<std::shared_ptr<nbd::Server>> servers_;
  nbd::ServerCounts ended_servers_;
  std::vector<std::shared_ptr<xen::Vbd>> vbds_;
  std::mutex one_closes_;  // held while threads end and files are synced
};

}  // namespace reprise::blk::binding
