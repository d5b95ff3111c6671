// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <system_error>
#include <thread>
#include <utility>

namespace reprise::vclock {
namespace {

/** After a fault of the system's (no descriptor, no memory): it would be there again at once. */
constexpr int kBreathMs = 100;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

Descriptor listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    throw std::system_error(ENAMETOOLONG, std::generic_category(), "socket path");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener.open()) fail("socket");
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    fail("bind");
  }
  if (::listen(listener.get(), 4) != 0) fail("listen");
  return listener;
}

}  // namespace

Server::Server(const std::string& path, Outbox& outbox, Handlers handlers)
    : outbox_(outbox), handlers_(std::move(handlers)), listener_(listen_at(path)) {}

void Server::run() {
  for (bool breathe = false;;) {
    const short wanted = static_cast<short>(POLLIN | (outbox_.pending() ? POLLOUT : 0));
    // Shut, the listener tells so although nobody asks; a visitor is left to wait.
    const short visitors = breathe ? 0 : POLLIN;
    std::array<pollfd, 3> polled{{{listener_.get(), visitors, 0},
                                  {outbox_.wake_fd(), POLLIN, 0},
                                  {controller_.get(), wanted, 0}}};
    if (::poll(polled.data(), polled.size(), breathe ? kBreathMs : -1) < 0) {
      if (errno != EINTR) std::this_thread::sleep_for(std::chrono::milliseconds(kBreathMs));
      continue;
    }
    breathe = false;
    if ((polled[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0) return;
    try {
      if ((polled[2].revents & (POLLIN | POLLHUP | POLLERR)) != 0) hear();
      if (!outbox_.send(controller_.get()) && controller_.open()) hang_up();
    } catch (const std::exception&) {
      // Memory for what it sent: the guest goes on without this controller.
      hang_up();
    }
    // Nobody is there to read it.
    if (!controller_.open()) outbox_.clear();
    if ((polled[0].revents & POLLIN) != 0) breathe = !welcome();
  }
}

void Server::close() noexcept {
  ::shutdown(listener_.get(), SHUT_RDWR);
}

bool Server::welcome() {
  Descriptor visitor(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!visitor.open()) return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
  if (!controller_.open()) controller_ = std::move(visitor);
  return true;
}

void Server::hear() {
  std::array<std::byte, 64 * 1024> chunk;
  const auto n = ::recv(controller_.get(), chunk.data(), chunk.size(), 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return hang_up();
  incoming_.push(std::span(chunk).first(static_cast<std::size_t>(n)));
  while (auto message = incoming_.next()) {
    auto decoded = decode_request(*message);
    if (auto* request = std::get_if<Request>(&decoded))
      handlers_.request(std::move(*request));
    else
      outbox_.post(encode_refusal(std::get<Refusal>(decoded)));
  }
  if (incoming_.broken()) hang_up();
}

void Server::hang_up() {
  controller_.reset();
  incoming_ = {};
  handlers_.gone();
  outbox_.clear();
}

}  // namespace reprise::vclock
