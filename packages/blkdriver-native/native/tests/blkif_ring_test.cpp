#include <doctest/doctest.h>

#include <map>
#include <thread>

#include "blkif_guest.h"
#include "test_disk.h"
#include "xen/ring_server.h"

using namespace reprise::blk;
using namespace reprise::blk::testing;
using xen::Op;

namespace {

constexpr std::size_t kDiskBytes = 4 << 20;
constexpr std::uint64_t kSectors = kDiskBytes / xen::kSectorBytes;
constexpr std::size_t kFramesEach = 34;  // of one request: 32 of data, a descriptor

struct TestDisk {
  explicit TestDisk(std::uint64_t seed) : random(seed) {
    base = make_base(scratch, random, kDiskBytes);
    create_overlay(scratch / "o", kDiskBytes);
    disk = Disk::open(base.path, {}, scratch / "o", {});
  }
  ~TestDisk() { disk->close(); }

  ScratchDirectory scratch;
  Random random;
  TestBase base;
  std::unique_ptr<Disk> disk;
};

/// A backend on the test's own thread.
struct Backend {
  Backend(BlkifGuest& guest, BlockDevice& device, const std::filesystem::path& journal_path,
          const xen::Abi& abi = xen::kAbi64, std::uint32_t start = 0)
      : executor(device, guest, {.sectors = device.size_bytes() / xen::kSectorBytes}),
        journal(journal_path),
        server(xen::BackRing(guest.ring(), abi, start), executor, journal, [this] { ++notified; }) {
  }
  void serve_all() {
    while (server.serve(stop) == xen::RingServer::Outcome::kMore) {
    }
  }

  std::atomic<bool> stop{false};
  int notified = 0;
  xen::RequestExecutor executor;
  xen::ResponseJournal journal;
  xen::RingServer server;
};

/// A random request that uses the frames of `lane`, and what it does to `model`.
struct Sent {
  xen::BlkifRequest request;
  std::size_t bytes = 0;
};

Sent random_request(Random& random, BlkifGuest& guest, std::uint32_t lane, Bytes& model) {
  const auto first_gref = static_cast<std::uint32_t>(lane * kFramesEach);
  Sent sent;
  xen::BlkifRequest& request = sent.request;
  request.id = random.next();
  const std::uint64_t sectors = 1 + random.below(random.below(2) == 0 ? 88 : 256);
  request.sector = random.below(kSectors - sectors);
  const auto at = model.begin() + static_cast<std::ptrdiff_t>(request.sector * 512);
  const std::uint64_t kind = random.below(10);
  if (kind == 0) {
    request.op = static_cast<std::uint8_t>(random.below(2) == 0 ? Op::kFlush : Op::kWriteBarrier);
    return sent;
  }
  if (kind == 1) {
    request.op = static_cast<std::uint8_t>(Op::kDiscard);
    request.discard_sectors = sectors;
    const auto inside = blocks_inside(request.sector * 512, sectors * 512, kDiskBytes);
    std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(inside.offset_bytes()),
                inside.length_bytes(), std::byte{0});
    return sent;
  }
  const auto segments = whole_frames(first_gref, sectors);
  const bool read = kind < 4;
  sent.bytes = read ? sectors * 512 : 0;
  const Op op = read ? Op::kRead : Op::kWrite;
  if (!read) {
    const Bytes data = random_bytes(random, sectors * 512);
    std::copy(data.begin(), data.end(), at);
    std::memcpy(guest.frame(first_gref).data(), data.data(), data.size());
  }
  request.segment_count = static_cast<std::uint16_t>(segments.size());
  if (segments.size() <= xen::kMostDirectSegments) {
    request.op = static_cast<std::uint8_t>(op);
    std::copy(segments.begin(), segments.end(), request.segments.begin());
  } else {
    request.op = static_cast<std::uint8_t>(Op::kIndirect);
    request.inner_op = static_cast<std::uint8_t>(op);
    request.indirect_grefs[0] = first_gref + kFramesEach - 1;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      std::memcpy(guest.frame(request.indirect_grefs[0]).data() + 8 * i, &segments[i], 8);
    }
  }
  return sent;
}

}  // namespace

TEST_CASE("whatever a frontend sends is on the disk, answered in order, with any ring and width") {
  for (const xen::Abi& abi : {xen::kAbi64, xen::kAbi32}) {
    for (const unsigned order : {0u, 2u}) {
      TestDisk disk(order + abi.id);
      Bytes model = disk.base.content;
      const std::uint32_t lanes = 32u << order;
      BlkifGuest guest(order, lanes * kFramesEach, abi);
      CHECK(guest.capacity() >= lanes);
      Backend backend(guest, disk.disk->device(), disk.scratch / "journal", abi);
      for (std::uint64_t round = 0; round < rounds(20); ++round) {
        std::vector<Sent> sent;
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
          sent.push_back(random_request(disk.random, guest, lane, model));
          guest.submit(sent.back().request);
          if (disk.random.below(4) == 0) backend.serve_all();
        }
        backend.serve_all();
        for (std::uint32_t lane = 0; lane < lanes; ++lane) {
          const auto response = guest.receive();
          REQUIRE(response);
          CHECK(response->id == sent[lane].request.id);
          CHECK(response->op == sent[lane].request.answered_op());
          CHECK(response->status == xen::Status::kOkay);
        }
        CHECK_FALSE(guest.receive());
      }
      CHECK(read_all(disk.disk->device()) == model);
      const auto counts = backend.executor.counts();
      CHECK(counts.requests == rounds(20) * lanes);
      CHECK(counts.indirect > 0);
      CHECK(counts.refused + counts.failed == 0);
      CHECK(backend.notified > 0);
    }
  }
}

TEST_CASE("a read gives the guest what the disk has, into the sectors that it named") {
  TestDisk disk(1);
  BlkifGuest guest(0, 4, xen::kAbi64);
  Backend backend(guest, disk.disk->device(), disk.scratch / "journal");
  xen::BlkifRequest request;
  request.op = static_cast<std::uint8_t>(Op::kRead);
  request.sector = 5;
  request.segment_count = 2;
  request.segments[0] = {3, 2, 4};
  request.segments[1] = {1, 0, 0};
  guest.submit(request);
  backend.serve_all();
  REQUIRE(guest.receive()->status == xen::Status::kOkay);
  const std::span<const std::byte> base(disk.base.content);
  CHECK(std::ranges::equal(guest.frame(3).subspan(1024, 1536), base.subspan(2560, 1536)));
  CHECK(std::ranges::equal(guest.frame(1).first(512), base.subspan(4096, 512)));
  CHECK(guest.frame(3)[1023] == std::byte{0});
  CHECK(guest.frame(3)[2560] == std::byte{0});
}

TEST_CASE("requests that make no sense fail alone, and change nothing") {
  TestDisk disk(2);
  BlkifGuest guest(0, 4, xen::kAbi64);
  Backend backend(guest, disk.disk->device(), disk.scratch / "journal");
  xen::BlkifRequest revoked;
  revoked.op = static_cast<std::uint8_t>(Op::kWrite);
  revoked.segment_count = 1;
  revoked.segments[0] = {99, 0, 7};
  xen::BlkifRequest outside = revoked;
  outside.segments[0].gref = 0;
  outside.sector = kSectors - 1;
  xen::BlkifRequest bad_descriptor;
  bad_descriptor.op = static_cast<std::uint8_t>(Op::kIndirect);
  bad_descriptor.inner_op = static_cast<std::uint8_t>(Op::kWrite);
  bad_descriptor.segment_count = 20;
  std::memset(guest.frame(0).data(), 0xff, xen::kFrameBytes);
  xen::BlkifRequest unknown;
  unknown.op = 200;
  for (const auto& request : {revoked, outside, bad_descriptor, unknown}) guest.submit(request);
  backend.serve_all();
  for (const auto status :
       {xen::Status::kError, xen::Status::kError, xen::Status::kError, xen::Status::kUnsupported}) {
    CHECK(guest.receive()->status == status);
  }
  CHECK(read_all(disk.disk->device()) == disk.base.content);
  CHECK(backend.executor.counts().refused == 3);
  CHECK(backend.executor.counts().failed == 1);
}

TEST_CASE("an impossible producer index ends the connection and nothing is carried out") {
  for (const std::uint32_t index : {33u, ~0u, 0x80000000u}) {
    TestDisk disk(3);
    BlkifGuest guest(0, 4, xen::kAbi64);
    Backend backend(guest, disk.disk->device(), disk.scratch / "journal");
    guest.index(xen::kRequestProducer).store(index);
    CHECK(backend.server.serve(backend.stop) == xen::RingServer::Outcome::kBroken);
    CHECK(backend.executor.counts().requests == 0);
  }
}

TEST_CASE("a guest that never stops adding requests gets bounded rounds") {
  TestDisk disk(4);
  BlkifGuest guest(2, 4, xen::kAbi64);
  Backend backend(guest, disk.disk->device(), disk.scratch / "journal");
  xen::BlkifRequest flush;
  flush.op = static_cast<std::uint8_t>(Op::kFlush);
  while (!guest.full()) guest.submit(flush);
  CHECK(backend.server.serve(backend.stop) == xen::RingServer::Outcome::kMore);
  CHECK(backend.executor.counts().requests == 32);
  backend.stop = true;
  CHECK(backend.server.serve(backend.stop) == xen::RingServer::Outcome::kStopped);
  CHECK(backend.executor.counts().requests == 32);
}

TEST_CASE("a frontend and a backend on threads of their own never miss each other") {
  TestDisk disk(5);
  BlkifGuest guest(1, 64, xen::kAbi64);
  std::atomic<std::uint32_t> to_guest{0};
  std::atomic<bool> stop{false};
  xen::RequestExecutor executor(disk.disk->device(), guest, {.sectors = kSectors});
  xen::ResponseJournal journal(disk.scratch / "journal");
  xen::RingServer server(xen::BackRing(guest.ring(), xen::kAbi64, 0), executor, journal, [&] {
    ++to_guest;
    to_guest.notify_one();
  });
  std::thread backend([&] {
    while (!stop) {
      if (server.serve(stop) == xen::RingServer::Outcome::kIdle) std::this_thread::yield();
    }
  });
  xen::BlkifRequest request;
  request.op = static_cast<std::uint8_t>(Op::kWrite);
  request.segment_count = 1;
  std::uint64_t answered = 0;
  const std::uint64_t all = rounds(20'000);
  for (std::uint64_t id = 0; answered < all;) {
    while (!guest.full() && id < all) {
      request.id = id++;
      request.sector = request.id % kSectors;
      request.segments[0] = {static_cast<std::uint32_t>(request.id % 64), 0, 0};
      guest.submit(request);
    }
    // `receive` re-arms before it says that there is nothing, so a wake-up cannot be lost.
    const std::uint32_t before = to_guest;
    bool any = false;
    while (const auto response = guest.receive()) {
      REQUIRE(response->id == answered++);
      any = true;
    }
    if (!any &&
        guest.index(xen::kResponseProducer).load() == static_cast<std::uint32_t>(answered)) {
      to_guest.wait(before);
    }
  }
  stop = true;
  backend.join();
  CHECK(executor.counts().writes == all);
}
