// A backend is killed with -9, again and again, in the middle of whatever it does;
// its successor goes on with the same ring, and the guest notices nothing.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "blkif_guest.h"
#include "test_disk.h"
#include "xen/ring_server.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;
using xen::Op;

namespace {

constexpr std::size_t kBlocks = 512;
constexpr xen::RingIdentity kRing{.domain = 1, .event_channel = 2, .first_gref = 3};

[[noreturn]] void serve_until_killed(BlkifGuest& guest, const std::filesystem::path& base,
                                     const std::filesystem::path& overlay,
                                     const std::filesystem::path& journal_path) {
  const auto disk = Disk::open(base, {}, overlay, {});
  xen::RequestExecutor executor(disk->device(), guest, {.sectors = kBlocks * 8});
  xen::ResponseJournal journal(journal_path);
  const std::uint32_t start = xen::BackRing::published(guest.ring());
  xen::RingServer server(xen::BackRing(guest.ring(), xen::kAbi64, start), executor, journal, [] {});
  if (const auto response = journal.unfinished(kRing, start)) {
    server.finish(*response);
  } else {
    journal.begin(kRing);
  }
  const std::atomic<bool> never{false};
  while (server.serve(never) != xen::RingServer::Outcome::kBroken) {
  }
  ::_exit(1);
}

}  // namespace

TEST_CASE("a response whose publication was cut short is published by the successor") {
  ScratchDirectory scratch;
  Random random(7);
  const TestBase base = make_base(scratch, random, kBlocks * kBlockSize);
  create_overlay(scratch / "o", kBlocks * kBlockSize);
  const auto disk = Disk::open(base.path, {}, scratch / "o", {});
  BlkifGuest guest(0, 4, xen::kAbi64);
  xen::BlkifRequest read;
  read.op = static_cast<std::uint8_t>(Op::kRead);
  read.segment_count = 1;
  for (read.id = 100; read.id < 103; ++read.id) guest.submit(read);

  // As a backend leaves it that dies right before it moves the index: the slot is no request any
  // more.
  const xen::Response half{.id = 100, .op = 0, .status = xen::Status::kOkay};
  {
    xen::ResponseJournal journal(scratch / "journal");
    journal.begin(kRing);
    journal.record(0, half);
  }
  std::memset(guest.ring().data() + xen::kRingHeaderBytes, 0xee, xen::kAbi64.slot_bytes);

  xen::ResponseJournal journal(scratch / "journal");
  CHECK_FALSE(journal.unfinished({.domain = 9, .event_channel = 2, .first_gref = 3}, 0));
  CHECK_FALSE(journal.unfinished(kRing, 1));
  xen::RingIdentity other_disk = kRing;
  CHECK_FALSE(journal.served_another_disk(other_disk));
  other_disk.disk[3] = std::byte{1};
  CHECK(journal.served_another_disk(other_disk));
  other_disk.first_gref = 99;  // another ring: nothing is known of it
  CHECK_FALSE(journal.served_another_disk(other_disk));
  const auto found = journal.unfinished(kRing, 0);
  REQUIRE(found);
  xen::RequestExecutor executor(disk->device(), guest, {.sectors = kBlocks * 8});
  xen::RingServer server(xen::BackRing(guest.ring(), xen::kAbi64, 0), executor, journal, [] {});
  server.finish(*found);
  const std::atomic<bool> never{false};
  CHECK(server.serve(never) == xen::RingServer::Outcome::kIdle);
  for (std::uint64_t id = 100; id < 103; ++id) {
    const auto response = guest.receive();
    REQUIRE(response);
    CHECK(response->id == id);
    CHECK(response->status == xen::Status::kOkay);
  }
  disk->close();
}

TEST_CASE("kill -9 loses no request, repeats no answer, and the log knows every changed block") {
  ScratchDirectory scratch;
  Random random(8);
  const TestBase base = make_base(scratch, random, kBlocks * kBlockSize);
  create_overlay(scratch / "o", kBlocks * kBlockSize);
  BlkifGuest guest(0, 32, xen::kAbi64);
  Bytes model = base.content;
  std::vector<std::uint32_t> order;  // block of each write, as sent
  std::uint64_t answered = 0;

  const auto send_write = [&] {
    const std::uint64_t id = order.size();
    const auto block = static_cast<std::uint32_t>(random.below(kBlocks));
    const auto gref = static_cast<std::uint32_t>(id % 32);
    const Bytes data = random_bytes(random, kBlockSize);
    std::memcpy(guest.frame(gref).data(), data.data(), data.size());
    std::copy(data.begin(), data.end(), model.begin() + block * std::ptrdiff_t{kBlockSize});
    xen::BlkifRequest write;
    write.op = static_cast<std::uint8_t>(Op::kWrite);
    write.id = id;
    write.sector = block * 8u;
    write.segment_count = 1;
    write.segments[0] = {gref, 0, 7};
    guest.submit(write);
    order.push_back(block);
  };
  const auto serve_for = [&](std::chrono::microseconds time, bool refill) {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) serve_until_killed(guest, base.path, scratch / "o", scratch / "journal");
    const std::uint64_t before = answered;
    auto end = std::chrono::steady_clock::time_point::max();
    while (std::chrono::steady_clock::now() < end && (refill || guest.outstanding() > 0)) {
      while (refill && !guest.full()) send_write();
      while (const auto response = guest.receive()) {
        REQUIRE(response->id == answered++);
        REQUIRE(response->status == xen::Status::kOkay);
      }
      // Opening the disk takes its time; the kill is to hit the serving.
      if (answered > before && end == std::chrono::steady_clock::time_point::max()) {
        end = std::chrono::steady_clock::now() + time;
      }
      std::this_thread::yield();
    }
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
  };

  const std::uint64_t kills = rounds(20);
  for (std::uint64_t i = 0; i < kills; ++i) {
    serve_for(std::chrono::microseconds(random.below(3000)), true);
  }
  serve_for(std::chrono::seconds(60), false);
  CHECK(answered == order.size());
  CHECK(guest.outstanding() == 0);

  const auto disk = Disk::open(base.path, {}, scratch / "o", {});
  CHECK(read_all(disk->device()) == model);
  // Every write stands in the log at its place; a killed backend's last ones may stand there twice.
  std::size_t next = 0;
  std::size_t repeated = 0;
  for (const Record& record : read_log(disk->log().cursor({}))) {
    if (record.kind != RecordKind::kWrite) continue;
    for (std::uint64_t block = record.target; block < record.target + record.count; ++block) {
      if (next < order.size() && order[next] == block) {
        ++next;
      } else {
        ++repeated;
      }
    }
  }
  CHECK(next == order.size());
  CHECK(repeated <= 2 * (kills + 1));
  disk->close();
}
