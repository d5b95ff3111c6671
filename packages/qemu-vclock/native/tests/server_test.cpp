// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <new>
#include <optional>
#include <string>
#include <thread>

#include "requests.h"

using namespace reprise::vclock;
using namespace reprise::vclock::testing;

namespace {

/** A server that answers every request with a time, in a directory of its own; request 13 is too
 * much for it. */
class RunningServer {
 public:
  RunningServer() : thread_([this] { server_.run(); }) {}
  RunningServer(const RunningServer&) = delete;
  RunningServer& operator=(const RunningServer&) = delete;
  ~RunningServer() {
    server_.close();
    thread_.join();
    ::unlink(path_.c_str());
    ::rmdir(directory_.c_str());
  }

  [[nodiscard]] Descriptor connect() const {
    Descriptor fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    connect(fd);
    return fd;
  }

  void connect(const Descriptor& fd) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }

 private:
  static std::string fresh_directory() {
    std::array<char, 32> name{"/tmp/vclock-test-XXXXXX"};
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    return name.data();
  }

  const std::string directory_ = fresh_directory();
  const std::string path_ = directory_ + "/s";
  Outbox outbox_;
  Server server_{path_,
                 outbox_,
                 {[this](const Request& request) {
                    if (request.id == 13) throw std::bad_alloc();
                    outbox_.post(encode_time(request.id, 42));
                  },
                  [] {}}};
  std::thread thread_;
};

void send_all(const Descriptor& fd, const Bytes& bytes) {
  REQUIRE(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(bytes.size()));
}

/** The next reply; empty: the server hung up. */
std::optional<ReadReply> receive(const Descriptor& fd) {
  std::array<std::byte, 512> reply;
  const auto n = ::recv(fd.get(), reply.data(), reply.size(), 0);
  if (n <= 0) return std::nullopt;
  return read_reply(std::span(reply).first(static_cast<std::size_t>(n)));
}

}  // namespace

TEST_CASE("a controller is served, a malformed request answered, and the connection goes on") {
  RunningServer server;
  const auto fd = server.connect();
  send_all(fd, framed(message(2, 5)));
  CHECK(receive(fd)->time_ns == 42);
  send_all(fd, framed(message(200, 6)));
  CHECK(receive(fd)->fault == static_cast<std::uint16_t>(Fault::kUnknownRequest));
  send_all(fd, framed(message(2, 7)));
  CHECK(receive(fd)->id == 7);
}

TEST_CASE("a second controller is turned away while the first is there") {
  RunningServer server;
  const auto first = server.connect();
  send_all(first, framed(message(2, 1)));
  CHECK(receive(first).has_value());
  const auto second = server.connect();
  CHECK_FALSE(receive(second).has_value());
  send_all(first, framed(message(2, 2)));
  CHECK(receive(first)->id == 2);
}

TEST_CASE("a stream that cannot be cut into messages ends, and the next controller is served") {
  RunningServer server;
  const auto first = server.connect();
  send_all(first, Bytes(8, std::byte{0xff}));
  CHECK_FALSE(receive(first).has_value());
  const auto second = server.connect();
  send_all(second, framed(message(2, 9)));
  CHECK(receive(second)->id == 9);
}

TEST_CASE("a request that there is no memory for ends its connection, and nothing else") {
  RunningServer server;
  const auto first = server.connect();
  send_all(first, framed(message(2, 13)));
  CHECK_FALSE(receive(first).has_value());
  const auto second = server.connect();
  send_all(second, framed(message(2, 14)));
  CHECK(receive(second)->id == 14);
}

TEST_CASE("a visitor that cannot be taken in waits, costs no CPU time, and is served when it can") {
  RunningServer server;
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  Descriptor visitor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(visitor.get()) + 1;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  server.connect(visitor);
  send_all(visitor, framed(message(2, 3)));
  const auto started = ::clock();
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto used = ::clock() - started;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(used < CLOCKS_PER_SEC / 10);
  CHECK(receive(visitor)->id == 3);
}
