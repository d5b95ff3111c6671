#include <doctest/doctest.h>

#include <set>

#include "error.h"
#include "xen/disk_file.h"
#include "xen/persistent_frames.h"
#include "xen/vbd.h"
#include "xen/xenbus_state.h"
#include "xen/xenstore.h"

using namespace reprise::blk;
using namespace reprise::blk::xen;
using State = XenbusState;

TEST_CASE("a frontend and a backend come to be connected, part, and come again") {
  Situation now;
  now.frontend = State::kInitialising;
  now.backend = State::kInitialising;
  CHECK(next_step(now) == Step::kOffer);
  now.backend = State::kInitWait;
  CHECK(next_step(now) == Step::kWait);
  now.frontend = State::kInitialised;
  CHECK(next_step(now) == Step::kConnect);
  now.connected = true;
  now.backend = State::kConnected;
  for (const State state : {State::kInitialised, State::kConnected}) {
    now.frontend = state;
    CHECK(next_step(now) == Step::kWait);
  }
  now.frontend = State::kClosing;
  CHECK(next_step(now) == Step::kClosing);
  now.connected = false;
  now.backend = State::kClosing;
  CHECK(next_step(now) == Step::kWait);
  now.frontend = State::kClosed;
  CHECK(next_step(now) == Step::kClosed);
  now.backend = State::kClosed;
  CHECK(next_step(now) == Step::kWait);
  now.frontend = State::kInitialising;
  CHECK(next_step(now) == Step::kOffer);
}

TEST_CASE("a device that the toolstack takes away ends when the guest has let go") {
  Situation now{.frontend = State::kConnected,
                .backend = State::kClosing,
                .connected = true,
                .online = false};
  CHECK(next_step(now) == Step::kWait);
  now.frontend = State::kClosing;
  CHECK(next_step(now) == Step::kClosing);
  now.frontend = State::kClosed;
  CHECK(next_step(now) == Step::kEnd);
}

TEST_CASE("it ends when the domain or the nodes are gone, whatever was before") {
  for (int frontend = 0; frontend <= 6; ++frontend) {
    for (int backend = 0; backend <= 6; ++backend) {
      Situation now{.frontend = static_cast<State>(frontend),
                    .backend = static_cast<State>(backend),
                    .connected = backend == 4};
      now.frontend_there = false;
      CHECK(next_step(now) == Step::kEnd);
      now.frontend_there = true;
      now.backend_there = false;
      CHECK(next_step(now) == Step::kEnd);
    }
  }
}

TEST_CASE("no order of states makes a backend map a ring twice") {
  for (int frontend = 0; frontend <= 6; ++frontend) {
    for (int backend = 0; backend <= 6; ++backend) {
      const Situation now{.frontend = static_cast<State>(frontend),
                          .backend = static_cast<State>(backend),
                          .connected = true};
      CHECK(next_step(now) != Step::kConnect);
    }
  }
}

TEST_CASE("numbers in xenstore are whole decimal numbers within bounds, or nothing") {
  CHECK(parse_number("0", 10) == 0);
  CHECK(parse_number("18446744073709551615", ~0ull) == ~0ull);
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "0x10", "1e3", "18446744073709551616"}) {
    CHECK_FALSE(parse_number(text, ~0ull));
  }
  CHECK_FALSE(parse_number("11", 10));
}

TEST_CASE("devices are named as xl names them") {
  CHECK(parse_device("xvda") == 51712);
  CHECK(parse_device("xvdb") == 51728);
  CHECK(parse_device("xvdp") == 51952);
  CHECK(parse_device("xvdq") == (1u << 28 | 16 << 8));
  CHECK(parse_device("51712") == 51712);
  for (const char* name : {"", "xvd", "xvdA", "xvda1", "sda", "-1"})
    CHECK_FALSE(parse_device(name));
  for (const char* name : {"xvda", "xvdp", "xvdq", "xvdz"}) {
    CHECK(device_name(*parse_device(name)) == name);
  }
  CHECK(device_name(51713) == "51713");
}

TEST_CASE("a disk file says what a disk is made of, and refuses what it does not know") {
  const DiskFile file = parse_disk_file(
      "# a comment\nbase /b\nlayer /l 1\nlayer /l2\n\noverlay /o\nread-only yes\n"
      "indirect-segments 32\nring-page-order 0\npersistent-grants no",
      "f");
  CHECK(file.base == "/b");
  CHECK(file.layers == std::vector<std::filesystem::path>{"/l 1", "/l2"});
  CHECK(file.overlay == "/o");
  CHECK(file.read_only);
  CHECK(file.features.indirect_segments == 32);
  CHECK_FALSE(file.features.persistent_grants);
  CHECK(file.features.flush_cache);
  for (const char* text :
       {"", "base /b", "base b\noverlay /o", "base /b\nbase /c\noverlay /o",
        "base /b\noverlay /o\nring-page-order 5", "base /b\noverlay /o\nflush maybe",
        "base /b\noverlay /o\nrun /bin/sh"}) {
    CHECK_THROWS_AS(parse_disk_file(text, "f"), Error);
  }
}

namespace {

/// Hands out addresses, and knows which are out.
struct CountingMapper final : FrameMapper {
  std::byte* map(std::uint32_t gref) noexcept override {
    if (gref == 666) return nullptr;
    return *mapped.insert(memory + gref).first;
  }
  void unmap(std::byte* frame) noexcept override { CHECK(mapped.erase(frame) == 1); }
  std::byte memory[1024];
  std::set<std::byte*> mapped;
};

}  // namespace

TEST_CASE("frames stay mapped up to a limit; the one used longest ago makes room") {
  CountingMapper mapper;
  {
    PersistentFrames frames(mapper, 3);
    for (const std::uint32_t gref : {1u, 2u, 3u, 1u, 4u}) CHECK_FALSE(frames.frame(gref).empty());
    CHECK(mapper.mapped == std::set{mapper.memory + 1, mapper.memory + 3, mapper.memory + 4});
    CHECK(frames.frame(666).empty());
    for (std::uint32_t gref = 10; gref < 1000; gref += 7) {
      if (gref != 666) CHECK(frames.frame(gref).data() == mapper.memory + gref);
      CHECK(frames.size() <= 3);
    }
  }
  CHECK(mapper.mapped.empty());
}
