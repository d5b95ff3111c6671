#include "nbd/server.h"

#include "error.h"
#include "served_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;
using namespace std::chrono_literals;

TEST_CASE("a client with simple replies reads what it wrote, also in long requests") {
  const ServedDisk fixture;
  const auto client = fixture.connect_to_export();
  Random random(5);
  const Bytes data = random_bytes(random, 1'500'000);
  Bytes write = request(nbd::Command::kWrite, 12345, 1'500'000, nbd::kCmdFlagFua);
  write.insert(write.end(), data.begin(), data.end());
  ServedDisk::send(client, write);
  CHECK(error_of(ServedDisk::take(client, 16)) == 0);
  ServedDisk::send(client, request(nbd::Command::kRead, 12345, 1'500'000));
  CHECK(error_of(ServedDisk::take(client, 16)) == 0);
  CHECK(ServedDisk::take(client, 1'500'000) == data);
}

TEST_CASE("a bad request is answered and the connection goes on; a bad magic ends only this one") {
  const ServedDisk fixture;
  const auto good = fixture.connect_to_export();
  const auto bad = fixture.connect_to_export();
  Bytes outside = request(nbd::Command::kWrite, kServedBytes, 4096);
  outside.resize(outside.size() + 4096);
  ServedDisk::send(bad, outside);
  CHECK(error_of(ServedDisk::take(bad, 16)) == nbd::kWireNoSpace);
  ServedDisk::send(bad, Bytes(28));
  CHECK(ServedDisk::at_end(bad));
  ServedDisk::send(good, request(nbd::Command::kFlush, 0, 0));
  CHECK(error_of(ServedDisk::take(good, 16)) == 0);
}

TEST_CASE("a client that sends half a write and leaves changes whole blocks or none") {
  ServedDisk fixture;
  {
    const auto client = fixture.connect_to_export();
    Bytes write = request(nbd::Command::kWrite, 0, 1 << 20);
    write.resize(write.size() + 300'001);
    ServedDisk::send(client, write);
  }
  fixture.server->close();
  const Bytes found = read_all(fixture.disk->device());
  for (std::size_t at = 0; at < kServedBytes; at += kBlockSize) {
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
  const ServedDisk fixture({}, options);
  {
    const auto one = fixture.connect_to_export();
    const auto two = fixture.connect_to_export();
    CHECK(ServedDisk::at_end(fixture.connect()));
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
  const ServedDisk fixture({}, options);
  const auto client = fixture.connect();
  ServedDisk::take(client, 18);
  CHECK(ServedDisk::at_end(client));
}

TEST_CASE("a client that reads no replies does not hold up the others") {
  const ServedDisk fixture;
  const auto greedy = fixture.connect_to_export();
  for (int i = 0; i < 200; ++i) ServedDisk::send(greedy, request(nbd::Command::kRead, 0, 1 << 20));
  const auto polite = fixture.connect_to_export();
  for (int i = 0; i < 20; ++i) {
    ServedDisk::send(polite, request(nbd::Command::kRead, 0, 4096));
    CHECK(error_of(ServedDisk::take(polite, 16)) == 0);
    ServedDisk::take(polite, 4096);
    ServedDisk::send(polite, request(nbd::Command::kFlush, 0, 0));
    CHECK(error_of(ServedDisk::take(polite, 16)) == 0);
  }
}

TEST_CASE("a slow disk is read through the pool, many requests at once") {
  DiskOptions slow;
  slow.delays.read = 2ms;
  const ServedDisk fixture(slow);
  const auto client = fixture.connect_to_export();
  for (int i = 0; i < 16; ++i)
    ServedDisk::send(client, request(nbd::Command::kRead, 4096 * i, 512));
  for (int i = 0; i < 16; ++i) {
    CHECK(error_of(ServedDisk::take(client, 16)) == 0);
    ServedDisk::take(client, 512);
  }
}

TEST_CASE("the socket of a killed server is replaced, that of a living one is not") {
  ServedDisk fixture;
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
  ServedDisk fixture;
  nbd::ServerOptions options;
  options.socket_path = fixture.scratch / std::string(200, 'x');
  CHECK_THROWS_AS(nbd::Server(fixture.disk->device(), options), Error);
  options.socket_path = fixture.base.path;
  CHECK_THROWS_AS(nbd::Server(fixture.disk->device(), options), Error);
  CHECK(std::filesystem::file_size(fixture.base.path) == kServedBytes);
}
