#include "binding/open_disk.h"

namespace reprise::blk::binding {

OpenDisk::User::User(OpenDisk& disk) : disk_(disk) {
  const std::lock_guard lock(disk.mutex_);
  if (disk.closing_) {
    throw Error(ErrorCode::kDiskClosed,
                "The virtual disk is closed. Open it again with VirtualDisk.open().");
  }
  ++disk.users_;
}

OpenDisk::User::~User() {
  const std::lock_guard lock(disk_.mutex_);
  if (--disk_.users_ == 0) disk_.unused_.notify_all();
}

OpenDisk::~OpenDisk() {
  try {
    close();
  } catch (const Error&) {
    // Nobody is left to tell; the overlay stays "open" and is recovered next time.
  }
}

std::shared_ptr<nbd::Server> OpenDisk::serve(const nbd::ServerOptions& options) {
  return with([&](Disk& disk) {
    auto server = std::make_shared<nbd::Server>(disk.device(), options);
    const std::lock_guard lock(mutex_);
    servers_.push_back(server);
    return server;
  });
}

void OpenDisk::close_server(const std::shared_ptr<nbd::Server>& server) {
  server->close();
  forget(server);
}

void OpenDisk::forget(const std::shared_ptr<nbd::Server>& server) {
  const std::lock_guard lock(mutex_);
  if (std::erase(servers_, server) == 0) return;
  const nbd::ServerCounts counts = server->counts();
  ended_servers_.accepted += counts.accepted;
  ended_servers_.refused += counts.refused;
}

nbd::ServerCounts OpenDisk::server_counts() {
  const std::lock_guard lock(mutex_);
  nbd::ServerCounts sum = ended_servers_;
  for (const auto& server : servers_) {
    const nbd::ServerCounts counts = server->counts();
    sum.open += counts.open;
    sum.accepted += counts.accepted;
    sum.refused += counts.refused;
  }
  return sum;
}

void OpenDisk::close() {
  const std::lock_guard one(one_closes_);  // a second caller waits for the first
  if (!disk_) return;
  {
    std::unique_lock lock(mutex_);
    closing_ = true;  // from here on no user and so no server is added
    unused_.wait(lock, [this] { return users_ == 0; });
  }
  close_servers();
  const std::unique_ptr<Disk> disk = std::move(disk_);
  disk->close();
}

void OpenDisk::close_servers() {
  std::vector<std::shared_ptr<nbd::Server>> servers;
  std::vector<std::shared_ptr<xen::Vbd>> vbds;
  {
    const std::lock_guard lock(mutex_);
    servers = servers_;
    vbds.swap(vbds_);
  }
  for (const auto& server : servers) close_server(server);
  // Guests wait for a successor, as NBD clients do.
  for (const auto& vbd : vbds) vbd->close(xen::VbdClose::kLeave);
}

}  // namespace reprise::blk::binding
