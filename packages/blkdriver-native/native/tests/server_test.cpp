#include "nbd/server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>

#include "error.h"
#include "nbd/wire.h"
#include "test_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t kSize = 4 << 20;

/// Serves a fresh disk, and speaks raw bytes to it.
struct Fixture {
  ScratchDirectory scratch;
  Random random{1};
  TestBase base = make_base(scratch, random, kSize);
  std::unique_ptr<Disk> disk;
  std::unique_ptr<nbd::Server> server;

  explicit Fixture(DiskOptions disk_options = {}, nbd::ServerOptions options = {}) {
    create_overlay(scratch / "overlay", kSize);
    disk = Disk::open(base.path, {}, scratch / "overlay", disk_options);
    options.socket_path = scratch / "s";
    server = std::make_unique<nbd::Server>(disk->device(), options);
  }

  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, server->socket_path().c_str());
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
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

Bytes request(nbd::Command command, std::uint64_t offset, std::uint32_t length,
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

std::uint32_t error_of(const Bytes& simple_reply) {
  CHECK(nbd::load<std::uint32_t>(simple_reply) == nbd::kMagicSimpleReply);
  return nbd::load<std::uint32_t>(std::span(simple_reply).subspan(4));
}

}  // namespace

TEST_CASE("a client with simple replies reads what it wrote, also in long requests") {
  const Fixture fixture;
  const auto client = fixture.connect_to_export();
  Random random(5);
  const Bytes data = random_bytes(random, 1'500'000);
  Bytes write = request(nbd::Command::kWrite, 12345, 1'500'000, nbd::kCmdFlagFua);
  write.insert(write.end(), data.begin(), data.end());
  Fixture::send(client, write);
  CHECK(error_of(Fixture::take(client, 16)) == 0);
  Fixture::send(client, request(nbd::Command::kRead, 12345, 1'500'000));
  CHECK(error_of(Fixture::take(client, 16)) == 0);
  CHECK(Fixture::take(client, 1'500'000) == data);
}

TEST_CASE("a bad request is answered and the connection goes on; a bad magic ends only this one") {
  const Fixture fixture;
  const auto good = fixture.connect_to_export();
  const auto bad = fixture.connect_to_export();
  Bytes outside = request(nbd::Command::kWrite, kSize, 4096);
  outside.resize(outside.size() + 4096);
  Fixture::send(bad, outside);
  CHECK(error_of(Fixture::take(bad, 16)) == nbd::kWireNoSpace);
  Fixture::send(bad, Bytes(28));
  CHECK(Fixture::at_end(bad));
  Fixture::send(good, request(nbd::Command::kFlush, 0, 0));
  CHECK(error_of(Fixture::take(good, 16)) == 0);
}

TEST_CASE("a client that sends half a write and leaves changes whole blocks or none") {
  Fixture fixture;
  {
    const auto client = fixture.connect_to_export();
    Bytes write = request(nbd::Command::kWrite, 0, 1 << 20);
    write.resize(write.size() + 300'001);
    Fixture::send(client, write);
  }
  fixture.server->close();
  const Bytes found = read_all(fixture.disk->device());
  for (std::size_t at = 0; at < kSize; at += kBlockSize) {
    const std::span block = std::span(found).subspan(at, kBlockSize);
    const bool zero = std::all_of(block.begin(), block.end(),
                                  [](std::byte byte) { return byte == std::byte{0}; });
    const bool old = std::equal(block.begin(), block.end(),
                                fixture.base.content.begin() + static_cast<std::ptrdiff_t>(at));
    CHECK((zero || old));
  }
}

TEST_CASE("clients over the limit are hung up on, and room comes back") {
  nbd::ServerOptions options;
  options.max_connections = 2;
  const Fixture fixture({}, options);
  {
    const auto one = fixture.connect_to_export();
    const auto two = fixture.connect_to_export();
    CHECK(Fixture::at_end(fixture.connect()));
    CHECK(fixture.server->counts().refused == 1);
  }
  for (int i = 0; i < 500 && fixture.server->counts().open > 0; ++i) {
    std::this_thread::sleep_for(5ms);
  }
  const auto again = fixture.connect_to_export();
}

TEST_CASE("a client that says nothing is hung up on after the deadline") {
  nbd::ServerOptions options;
  options.handshake_deadline = 50ms;
  const Fixture fixture({}, options);
  const auto client = fixture.connect();
  Fixture::take(client, 18);
  CHECK(Fixture::at_end(client));
}

TEST_CASE("a client that reads no replies does not hold up the others") {
  const Fixture fixture;
  const auto greedy = fixture.connect_to_export();
  for (int i = 0; i < 200; ++i) Fixture::send(greedy, request(nbd::Command::kRead, 0, 1 << 20));
  const auto polite = fixture.connect_to_export();
  for (int i = 0; i < 20; ++i) {
    Fixture::send(polite, request(nbd::Command::kRead, 0, 4096));
    CHECK(error_of(Fixture::take(polite, 16)) == 0);
    Fixture::take(polite, 4096);
    Fixture::send(polite, request(nbd::Command::kFlush, 0, 0));
    CHECK(error_of(Fixture::take(polite, 16)) == 0);
  }
}

TEST_CASE("a slow disk is read through the pool, many requests at once") {
  DiskOptions slow;
  slow.delays.read = 2ms;
  const Fixture fixture(slow);
  const auto client = fixture.connect_to_export();
  for (int i = 0; i < 16; ++i) Fixture::send(client, request(nbd::Command::kRead, 4096 * i, 512));
  for (int i = 0; i < 16; ++i) {
    CHECK(error_of(Fixture::take(client, 16)) == 0);
    Fixture::take(client, 512);
  }
}

TEST_CASE("the socket of a killed server is replaced, that of a living one is not") {
  Fixture fixture;
  nbd::ServerOptions options;
  options.socket_path = fixture.scratch / "s";
  CHECK_THROWS_AS(nbd::Server(fixture.disk->device(), options), Error);
  std::filesystem::create_hard_link(fixture.scratch / "s", fixture.scratch / "stale");
  fixture.server->close();
  fixture.server->close();
  CHECK_FALSE(std::filesystem::exists(fixture.scratch / "s"));
  options.socket_path = fixture.scratch / "stale";
  nbd::Server again(fixture.disk->device(), options);
  CHECK(std::filesystem::is_socket(fixture.scratch / "stale"));
}

TEST_CASE("a path that is too long or taken by a file is refused with a code") {
  Fixture fixture;
  nbd::ServerOptions options;
  options.socket_path = fixture.scratch / std::string(200, 'x');
  CHECK_THROWS_AS(nbd::Server(fixture.disk->device(), options), Error);
  options.socket_path = fixture.base.path;
  CHECK_THROWS_AS(nbd::Server(fixture.disk->device(), options), Error);
  CHECK(std::filesystem::file_size(fixture.base.path) == kSize);
}
