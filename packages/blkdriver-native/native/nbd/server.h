#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <list>
#include <memory>
#include <mutex>
#include <thread>

#include "device/block_device.h"
#include "nbd/handshake.h"
#include "nbd/listener.h"
#include "nbd/session.h"
#include "nbd/worker_pool.h"

namespace reprise::blk::nbd {

struct ServerOptions {
  std::filesystem::path socket_path;
  std::string export_name = "disk";
  mode_t mode = 0600;
  unsigned max_connections = 16;
  /// Of the pool. A connection has one fewer at most, so that others find one.
  unsigned workers = 5;
  std::chrono::milliseconds handshake_deadline{10'000};
  Session::Tuning tuning;
};

struct ServerCounts {
  std::uint64_t open = 0;      ///< connections now
  std::uint64_t accepted = 0;  ///< since the start
  std::uint64_t refused = 0;   ///< over the limit
};

/// Serves one device on a unix socket until it is closed. Has threads of its own:
/// one that accepts, one a connection, and the pool.
class Server {
 public:
  /// Throws Error; listens when it returns. The device must outlive the server.
  Server(BlockDevice& device, const ServerOptions& options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();

  /// Hangs up on every client and ends every thread; whoever calls it, it is done when
  /// this returns. Idempotent.
  void close();

  ServerCounts counts() const noexcept;
  const std::filesystem::path& socket_path() const noexcept { return options_.socket_path; }

 private:
  struct Connection {
    UniqueFd socket;
    std::thread thread;
    std::atomic<bool> done{false};
  };

  void accept_loop();
  void admit(UniqueFd socket);
  void reap();
  void serve(int socket);
  bool shake_hands(int socket, Handshake& handshake, InputBuffer& input, OutputBuffer& output);

  BlockDevice& device_;
  const ServerOptions options_;
  const Export export_;
  std::unique_ptr<UnixListener> listener_;
  UniqueFd stop_;  // eventfd
  WorkerPool pool_;
  BusyPollSlot busy_poll_slot_;
  std::list<Connection> connections_;  // of the acceptor, and of close() when that has ended
  std::mutex closing_;
  std::atomic<std::uint64_t> open_{0}, accepted_{0}, refused_{0};
  std::thread acceptor_;
};

}  // namespace reprise::blk::nbd
