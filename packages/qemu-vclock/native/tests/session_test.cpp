// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session.h"

#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "requests.h"

using namespace reprise::vclock;
using namespace reprise::vclock::testing;

namespace {

constexpr std::int64_t kMs = 1'000'000;

/** A guest whose clock moves when a test says so. */
class ClockworkGuest final : public Guest {
 public:
  std::int64_t now_ns() override { return now; }
  void wake_at(std::int64_t at) override { appointment = at; }
  void inject(const Event& event) override { injected.emplace_back(now, event); }
  void stop() override { stopped = true; }
  Trace trace() override { return {now / 4, 7, 8, 9, 10}; }
  std::uint64_t memory_digest(std::size_t share, std::size_t shares) override {
    looks.emplace_back(now, share * 1000 + shares);
    return memory;
  }
  std::int64_t disk_held_ns() override { return 0; }
  std::int64_t host_ns() override { return host; }
  void rest_ns(std::int64_t ns) override { host += ns; }

  std::int64_t now = 5000 * kMs;
  std::int64_t host = 0;
  std::int64_t appointment = 0;
  bool stopped = false;
  std::uint64_t memory = 1;
  std::vector<std::pair<std::int64_t, std::size_t>> looks;
  std::vector<std::pair<std::int64_t, Event>> injected;
};

struct Bench {
  ClockworkGuest guest;
  std::vector<ReadReply> replies;
  Session session{guest, [this](Bytes reply) { replies.push_back(read_reply(reply)); }};
  std::uint32_t id = 0;

  std::uint32_t ask(RequestBody body) {
    session.handle({++id, std::move(body)});
    return id;
  }
  void tick() {
    guest.now = guest.appointment;
    session.tick();
  }
  const ReadReply* reply_to(std::uint32_t wanted) const {
    for (const auto& reply : replies) {
      if (reply.id == wanted) return &reply;
    }
    return nullptr;
  }
};

}  // namespace

TEST_CASE("live input goes in at the next tick, and its reply tells when") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false});
  const auto id = bench.ask(InputRequest{KeyEvent{30, true}});
  CHECK(bench.guest.injected.empty());
  CHECK(bench.reply_to(id) == nullptr);
  bench.tick();
  CHECK(bench.guest.injected.size() == 1);
  CHECK(bench.guest.injected[0].first == 5010 * kMs);
  CHECK(bench.reply_to(id)->time_ns == 10 * kMs);
}

TEST_CASE("a replay injects at the recorded times and stops at the recorded end") {
  Bench bench;
  bench.ask(AppendRequest{{{10 * kMs, KeyEvent{30, true}}, {70 * kMs, KeyEvent{30, false}}}});
  CHECK(bench.reply_to(bench.ask(ReplayRequest{100 * kMs}))->time_ns == 5000 * kMs);
  const auto end = bench.ask(WaitRequest{});
  CHECK(bench.reply_to(end) == nullptr);
  for (int i = 0; i < 3; i++) bench.tick();
  CHECK(bench.guest.injected.size() == 2);
  CHECK(bench.guest.injected[0].first == 5010 * kMs);
  CHECK(bench.guest.injected[1].first == 5070 * kMs);
  CHECK(bench.guest.stopped);
  CHECK(bench.reply_to(end)->time_ns == 100 * kMs);
  CHECK(bench.reply_to(bench.ask(WaitRequest{}))->time_ns == 100 * kMs);
  CHECK(bench.session.status().latest_ns == 0);
}

TEST_CASE("a recording stops at a tick, and takes no input from the request on") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false});
  const auto before = bench.ask(InputRequest{KeyEvent{30, true}});
  const auto stop = bench.ask(StopRequest{15 * kMs});
  const auto after = bench.ask(InputRequest{KeyEvent{30, false}});
  CHECK(bench.reply_to(after)->fault == static_cast<std::uint16_t>(Fault::kWrongState));
  bench.tick();
  CHECK_FALSE(bench.guest.stopped);
  bench.tick();
  CHECK(bench.guest.stopped);
  CHECK(bench.reply_to(before)->time_ns == 10 * kMs);
  CHECK(bench.reply_to(stop)->time_ns == 20 * kMs);
}

TEST_CASE("a paced recording rests until real time has come") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, true});
  for (int i = 0; i < 5; i++) bench.tick();
  CHECK(bench.guest.host == 50 * kMs);
}

TEST_CASE("input beyond the queue's bound is refused, and what was taken still goes in") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false});
  for (std::size_t i = 0; i < Session::kMostWaiting; i++)
    bench.ask(InputRequest{KeyEvent{30, true}});
  const auto one_more = bench.ask(InputRequest{KeyEvent{30, false}});
  CHECK(bench.reply_to(one_more)->fault == static_cast<std::uint16_t>(Fault::kTooMuch));
  bench.tick();
  CHECK(bench.guest.injected.size() == Session::kMostWaiting);
}

TEST_CASE("a controller that is gone leaves nothing to inject, and the guest goes on") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false});
  bench.ask(InputRequest{KeyEvent{30, true}});
  bench.session.abandon();
  bench.tick();
  CHECK(bench.guest.injected.empty());
  CHECK(bench.guest.appointment == 5020 * kMs);
}

TEST_CASE("requests that do not fit the state are refused") {
  Bench bench;
  const auto wrong = static_cast<std::uint16_t>(Fault::kWrongState);
  CHECK(bench.reply_to(bench.ask(InputRequest{KeyEvent{}}))->fault == wrong);
  CHECK(bench.reply_to(bench.ask(StopRequest{0}))->fault == wrong);
  bench.ask(RecordRequest{10 * kMs, false});
  CHECK(bench.reply_to(bench.ask(RecordRequest{10 * kMs, false}))->fault == wrong);
  CHECK(bench.reply_to(bench.ask(AppendRequest{}))->fault == wrong);
  CHECK(bench.reply_to(bench.ask(ReplayRequest{0}))->fault == wrong);
}

TEST_CASE(
    "a tick that comes an instruction late counts as the tick; a later one is told as it was") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false});
  const auto first = bench.ask(InputRequest{KeyEvent{30, true}});
  bench.guest.now = bench.guest.appointment + 3;
  bench.session.tick();
  CHECK(bench.reply_to(first)->time_ns == 10 * kMs);
  CHECK(bench.guest.appointment == 5020 * kMs);
  CHECK(bench.session.status().latest_ns == 0);
  const auto second = bench.ask(InputRequest{KeyEvent{30, false}});
  bench.guest.now = bench.guest.appointment + kMs;
  bench.session.tick();
  CHECK(bench.reply_to(second)->time_ns == 21 * kMs);
  CHECK(bench.session.status().latest_ns == kMs);
}

TEST_CASE("a mark tells what the guest did, and is told as soon as it is taken") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false, 100 * kMs});
  const auto asked = bench.ask(MarkRequest{});
  for (int i = 0; i < 9; i++) bench.tick();
  CHECK(bench.reply_to(asked) == nullptr);
  bench.tick();
  const auto mark = bench.reply_to(asked)->mark;
  CHECK(mark.at_ns == 100 * kMs);
  CHECK(mark.trace.instructions == 25 * kMs);
  CHECK(mark.trace.disk_requests == 7);
  CHECK(mark.trace.frames_sent == 10);
  // Both shares of the memory, each at its own instant.
  CHECK(mark.memory_digest == 2);
  CHECK(bench.guest.looks ==
        std::vector<std::pair<std::int64_t, std::size_t>>{{5050 * kMs, 2}, {5100 * kMs, 1002}});
}

TEST_CASE("a replay looks at the same instants as its session, and comes to the same marks") {
  Bench session;
  session.ask(RecordRequest{10 * kMs, false, 100 * kMs});
  for (int i = 0; i < 6; i++) session.tick();
  session.ask(InputRequest{KeyEvent{30, true}});
  // At the very tick of the mark: the mark comes first.
  for (int i = 0; i < 3; i++) session.tick();
  session.ask(InputRequest{FrameEvent{{std::byte{1}, std::byte{2}}}});
  for (int i = 0; i < 11; i++) session.tick();
  const auto replayed = [](std::uint32_t number) {
    Bench replay;
    replay.ask(AppendRequest{{{70 * kMs, KeyEvent{number, true}},
                              {100 * kMs, FrameEvent{{std::byte{1}, std::byte{2}}}}}});
    replay.ask(ReplayRequest{200 * kMs, 100 * kMs});
    while (!replay.guest.stopped) replay.tick();
    return std::pair{replay.reply_to(replay.ask(MarkRequest{}))->mark,
                     replay.reply_to(replay.ask(MarkRequest{}))->mark};
  };
  const auto first = session.reply_to(session.ask(MarkRequest{}))->mark;
  const auto second = session.reply_to(session.ask(MarkRequest{}))->mark;
  const auto same = replayed(30);
  CHECK(same.first.input_digest == first.input_digest);
  CHECK(same.second.input_digest == second.input_digest);
  CHECK(same.second.at_ns == second.at_ns);
  CHECK(first.input_digest != second.input_digest);
  CHECK(replayed(31).first.input_digest != first.input_digest);
}

TEST_CASE("who waits for a mark is told when none comes any more") {
  Bench bench;
  CHECK(bench.reply_to(bench.ask(MarkRequest{}))->fault ==
        static_cast<std::uint16_t>(Fault::kWrongState));
  bench.ask(ReplayRequest{30 * kMs, 100 * kMs});
  const auto asked = bench.ask(MarkRequest{});
  bench.tick();
  CHECK(bench.reply_to(asked)->type == 0x80);
  CHECK(bench.reply_to(asked)->time_ns == 30 * kMs);
}

TEST_CASE("a replay can be stopped before its end") {
  Bench bench;
  bench.ask(AppendRequest{{{500 * kMs, KeyEvent{30, true}}}});
  bench.ask(ReplayRequest{1000 * kMs, 100 * kMs});
  const auto end = bench.ask(WaitRequest{});
  for (int i = 0; i < 3; i++) bench.tick();
  CHECK(bench.reply_to(bench.ask(StopRequest{0}))->time_ns == 150 * kMs);
  bench.tick();
  CHECK(bench.guest.stopped);
  CHECK(bench.reply_to(end)->time_ns == 150 * kMs);
  CHECK(bench.guest.injected.empty());
}

TEST_CASE("marks that nobody asks for are bounded") {
  Bench bench;
  bench.ask(RecordRequest{10 * kMs, false, 50 * kMs});
  for (std::size_t i = 0; i < 5 * (Marker::kMostUntold + 10); i++) bench.tick();
  std::size_t told = 0;
  while (bench.reply_to(bench.ask(MarkRequest{})) != nullptr) told++;
  CHECK(told == Marker::kMostUntold);
}
