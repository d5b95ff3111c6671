#pragma once

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <functional>

#include "nbd/server.h"
#include "nbd/wire.h"
#include "test_disk.h"

namespace reprise::blk::testing {

inline constexpr std::size_t kServedBytes = 4 << 20;

/// Serves a fresh disk, and speaks raw bytes to it.
struct ServedDisk {
  ScratchDirectory scratch;
  Random random{1};
  TestBase base = make_base(scratch, random, kServedBytes);
  std::unique_ptr<Disk> disk;
  std::unique_ptr<BlockDevice> layer;  ///< between the disk and the server, where a test has one
  std::unique_ptr<nbd::Server> server;

  using MakeLayer = std::function<std::unique_ptr<BlockDevice>(BlockDevice& disk)>;

  explicit ServedDisk(DiskOptions disk_options = {}, nbd::ServerOptions options = {},
                      const MakeLayer& make_layer = {}) {
    create_overlay(scratch / "overlay", kServedBytes);
    disk = Disk::open(base.path, {}, scratch / "overlay", disk_options);
    options.socket_path = scratch / "s";
    if (make_layer) layer = make_layer(disk->device());
    server = std::make_unique<nbd::Server>(layer ? *layer : disk->device(), options);
  }

  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, server->socket_path().c_str());
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    // What never comes fails a test rather than hang it.
    const timeval patience{60, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    return fd;
  }
  /// Connects and gets through the handshake with EXPORT_NAME: simple replies.
  UniqueFd connect_to_export() const {
    UniqueFd fd = connect();
    take(fd, 18);
    Bytes hello;
    nbd::WireWriter(hello)
        .put(std::uint32_t{3})
        .put(nbd::kMagicOption)
        .put(std::uint32_t{nbd::kOptExportName})
        .put(std::uint32_t{4})
        .put("disk");
    send(fd, hello);
    take(fd, 10);
    return fd;
  }
  static void send(const UniqueFd& fd, const Bytes& bytes) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
      const auto n = ::send(fd.get(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
      if (n <= 0) return;
      sent += static_cast<std::size_t>(n);
    }
  }
  static Bytes take(const UniqueFd& fd, std::size_t n) {
    Bytes bytes(n);
    REQUIRE(::recv(fd.get(), bytes.data(), n, MSG_WAITALL) == static_cast<ssize_t>(n));
    return bytes;
  }
  static bool at_end(const UniqueFd& fd) {
    std::byte byte;
    return ::recv(fd.get(), &byte, 1, 0) <= 0;
  }
};

inline Bytes request(nbd::Command command, std::uint64_t offset, std::uint32_t length,
                     std::uint16_t flags = 0) {
  Bytes bytes;
  nbd::WireWriter(bytes)
      .put(nbd::kMagicRequest)
      .put(flags)
      .put(static_cast<std::uint16_t>(command))
      .put(std::uint64_t{42})
      .put(offset)
      .put(length);
  return bytes;
}

inline std::uint32_t error_of(const Bytes& simple_reply) {
  CHECK(nbd::load<std::uint32_t>(simple_reply) == nbd::kMagicSimpleReply);
  return nbd::load<std::uint32_t>(std::span(simple_reply).subspan(4));
}

}  // namespace reprise::blk::testing
