// Several clients of one server, and several threads that close it.
#include <thread>

#include "failing_memory.h"
#include "gate_device.h"
#include "nbd/listener.h"
#include "served_disk.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;
using namespace std::chrono_literals;

namespace {

/// A served disk whose WRITE_ZEROES wait for `gate()`.
struct GatedDisk : ServedDisk {
  explicit GatedDisk(nbd::ServerOptions options = {})
      : ServedDisk({}, options,
                   [](BlockDevice& below) { return std::make_unique<GateDevice>(below); }) {}
  ~GatedDisk() { gate().open(); }
  GateDevice& gate() const { return static_cast<GateDevice&>(*layer); }
};

Bytes zeroes(std::uint16_t flags = 0) {
  return request(nbd::Command::kWriteZeroes, 0, 8192, flags);
}

/// Its flushes run out of memory in the device.
class ExhaustedDevice final : public BlockLayer {
 public:
  using BlockLayer::BlockLayer;
  std::error_code flush() override { throw std::bad_alloc(); }
};

}  // namespace

TEST_CASE("a client with a hundred slow requests does not hold up another one's") {
  const GatedDisk fixture;
  const auto greedy = fixture.connect_to_export();
  for (int i = 0; i < 128; ++i) ServedDisk::send(greedy, zeroes(nbd::kCmdFlagNoHole));
  fixture.gate().await_waiting(4);
  const auto polite = fixture.connect_to_export();
  for (int i = 0; i < 20; ++i) {
    ServedDisk::send(polite, request(nbd::Command::kFlush, 0, 0));
    CHECK(error_of(ServedDisk::take(polite, 16)) == 0);
  }
  CHECK(fixture.gate().passed() == 0);
  fixture.gate().open();
  for (int i = 0; i < 128; ++i) CHECK(error_of(ServedDisk::take(greedy, 16)) == 0);
}

TEST_CASE("an answer does not wait for the payload of a later request") {
  const GatedDisk fixture;
  const auto client = fixture.connect_to_export();
  ServedDisk::send(client, zeroes());
  fixture.gate().await_waiting(1);
  Bytes write = request(nbd::Command::kWrite, 65536, 8192);
  write.resize(write.size() + 4096);
  ServedDisk::send(client, write);
  std::this_thread::sleep_for(20ms);  // so that the server waits for the rest already
  fixture.gate().open();
  CHECK(error_of(ServedDisk::take(client, 16)) == 0);
  ServedDisk::send(client, Bytes(4096));
  CHECK(error_of(ServedDisk::take(client, 16)) == 0);
}

TEST_CASE("what a client asked for before it said goodbye is done") {
  const GatedDisk fixture;
  const auto client = fixture.connect_to_export();
  for (int i = 0; i < 10; ++i) ServedDisk::send(client, zeroes());
  ServedDisk::send(client, request(nbd::Command::kDisconnect, 0, 0));
  fixture.gate().open();
  // The client stays: an answer that finds nobody ends the reading of what came after it.
  while (fixture.server->counts().open > 0) std::this_thread::sleep_for(1ms);
  CHECK(fixture.gate().passed() == 10);
}

TEST_CASE("whoever closes the server, no thread of it is left when the call returns") {
  for (int round = 0; round < 3; ++round) {
    const GatedDisk fixture;
    const auto client = fixture.connect_to_export();
    ServedDisk::send(client, zeroes());
    fixture.gate().await_waiting(1);
    std::vector<std::thread> closers;
    std::atomic<int> too_early{0};
    for (int i = 0; i < 3; ++i) {
      closers.emplace_back([&] {
        fixture.server->close();
        // The server works at a request until the gate is open.
        if (!fixture.gate().is_open()) ++too_early;
      });
    }
    std::this_thread::sleep_for(20ms);
    fixture.gate().open();
    for (auto& closer : closers) closer.join();
    CHECK(too_early == 0);
    CHECK(fixture.server->counts().open == 0);
  }
}

TEST_CASE("a request that there is no memory for is answered, and the connection goes on") {
  nbd::ServerOptions options;
  options.tuning.inline_reads = false;
  const ServedDisk fixture({}, options);
  const auto client = fixture.connect_to_export();
  {
    const FailingMemory memory(1 << 20);
    ServedDisk::send(client, request(nbd::Command::kRead, 0, 2 << 20));
    CHECK(error_of(ServedDisk::take(client, 16)) == nbd::kWireNoMemory);
  }
  ServedDisk::send(client, request(nbd::Command::kRead, 0, 4096));
  CHECK(error_of(ServedDisk::take(client, 16)) == 0);
}

TEST_CASE("a device that throws costs the client an error, not the server its process") {
  const ServedDisk fixture(
      {}, {}, [](BlockDevice& below) { return std::make_unique<ExhaustedDevice>(below); });
  const auto client = fixture.connect_to_export();
  for (int i = 0; i < 2; ++i) {
    ServedDisk::send(client, request(nbd::Command::kFlush, 0, 0));
    CHECK(error_of(ServedDisk::take(client, 16)) == nbd::kWireNoMemory);
  }
}

TEST_CASE("of many servers that want one path, one has it") {
  const ScratchDirectory scratch;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> refused{0};
    std::mutex mutex;
    std::vector<std::unique_ptr<nbd::UnixListener>> listeners;
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        try {
          auto listener = std::make_unique<nbd::UnixListener>(scratch / "s", 0600);
          const std::lock_guard lock(mutex);
          listeners.push_back(std::move(listener));
        } catch (const Error& error) {
          refused += error.code() == ErrorCode::kSocketBusy ? 1 : 0;
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(listeners.size() == 1);
    CHECK(refused == 7);
  }
}
