#include "nbd/server.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "error.h"

namespace reprise::blk::nbd {
namespace {

constexpr int kSocketBufferBytes = 1 << 20;
/// How long the acceptor rests when the process is out of descriptors or memory.
constexpr auto kAcceptPause = std::chrono::milliseconds(50);

bool send_all(OutputBuffer& output, const std::vector<std::byte>& bytes) {
  if (!bytes.empty()) output.send_with(bytes);
  return !output.broken();
}

}  // namespace

Server::Server(BlockDevice& device, const ServerOptions& options)
    : device_(device),
      options_(options),
      export_{.name = options.export_name, .size_bytes = device.size_bytes()},
      listener_(std::make_unique<UnixListener>(options.socket_path, options.mode)),
      stop_(::eventfd(0, EFD_CLOEXEC)),
      pool_(options.workers) {
  if (!stop_) throw_os_error("create", "an eventfd", errno);
  acceptor_ = std::thread([this] { accept_loop(); });
}

Server::~Server() {
  close();
}

void Server::close() {
  const std::lock_guard lock(closing_);  // a second caller waits for the first
  if (!acceptor_.joinable()) return;
  ::eventfd_write(stop_.get(), 1);
  acceptor_.join();
  listener_.reset();
  for (Connection& connection : connections_) ::shutdown(connection.socket.get(), SHUT_RDWR);
  for (Connection& connection : connections_) connection.thread.join();
  connections_.clear();
  pool_.close();
}

ServerCounts Server::counts() const noexcept {
  return {open_.load(std::memory_order_relaxed), accepted_.load(std::memory_order_relaxed),
          refused_.load(std::memory_order_relaxed)};
}

void Server::accept_loop() {
  std::array<pollfd, 2> sources{{{listener_->fd(), POLLIN, 0}, {stop_.get(), POLLIN, 0}}};
  while (true) {
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return;
    if (sources[1].revents != 0) return;
    if (sources[0].revents == 0) continue;
    UniqueFd socket(::accept4(listener_->fd(), nullptr, nullptr, SOCK_CLOEXEC));
    if (socket) {
      admit(std::move(socket));
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      std::this_thread::sleep_for(kAcceptPause);
    }
  }
}

void Server::admit(UniqueFd socket) {
  reap();
  if (connections_.size() >= options_.max_connections) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDBUF, &kSocketBufferBytes, sizeof kSocketBufferBytes);
  accepted_.fetch_add(1, std::memory_order_relaxed);
  open_.fetch_add(1, std::memory_order_relaxed);
  Connection& connection = connections_.emplace_back();
  connection.socket = std::move(socket);
  try {
    connection.thread = std::thread([this, &connection] {
      serve(connection.socket.get());
      // The client must see the end now, not when the next one connects.
      ::shutdown(connection.socket.get(), SHUT_RDWR);
      open_.fetch_sub(1, std::memory_order_relaxed);
      connection.done.store(true, std::memory_order_release);
    });
  } catch (const std::system_error&) {  // out of threads: this client is refused
    open_.fetch_sub(1, std::memory_order_relaxed);
    refused_.fetch_add(1, std::memory_order_relaxed);
    connections_.pop_back();
  }
}

void Server::reap() {
  for (auto connection = connections_.begin(); connection != connections_.end();) {
    if (!connection->done.load(std::memory_order_acquire)) {
      ++connection;
      continue;
    }
    connection->thread.join();
    connection = connections_.erase(connection);
  }
}

void Server::serve(int socket) {
  try {
    InputBuffer input(socket);
    OutputBuffer output(socket);
    Handshake handshake(export_);
    if (!shake_hands(socket, handshake, input, output)) return;
    Session(socket, device_, pool_, busy_poll_slot_, handshake.agreement(), input, output,
            options_.tuning)
        .run();
  } catch (const std::exception&) {
    // Out of memory or descriptors: this client is hung up on, the others go on.
  }
}

bool Server::shake_hands(int socket, Handshake& handshake, InputBuffer& input,
                         OutputBuffer& output) {
  using Clock = std::chrono::steady_clock;
  const auto deadline = Clock::now() + options_.handshake_deadline;
  std::vector<std::byte> reply;
  handshake.greet(reply);
  // A client that does not read may not hold the thread in a send either.
  const auto seconds =
      std::chrono::duration_cast<std::chrono::seconds>(options_.handshake_deadline);
  const timeval limit{std::max<time_t>(1, seconds.count()), 0};
  ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  while (send_all(output, reply)) {
    reply.clear();
    if (handshake.state() == Handshake::State::kTransmission) {
      const timeval unlimited{0, 0};
      ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &unlimited, sizeof unlimited);
      return true;
    }
    if (handshake.state() == Handshake::State::kClosed) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd source{socket, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&source, 1, static_cast<int>(left.count())) <= 0) return false;
    if (!input.fill()) return false;
    input.consume(handshake.advance(input.available(), reply));
  }
  return false;
}

}  // namespace reprise::blk::nbd
