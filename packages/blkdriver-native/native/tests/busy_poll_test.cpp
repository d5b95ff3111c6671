#include "nbd/busy_poll.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

using namespace reprise::blk::nbd;

namespace {

/// Two ends of a connection: the client's, and the buffer that the server fills from its own.
struct Connection {
  Connection() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0); }
  ~Connection() {
    hang_up();
    ::close(ends[1]);
  }
  void send(char c) { REQUIRE(::write(ends[0], &c, 1) == 1); }
  void hang_up() {
    if (ends[0] >= 0) ::close(ends[0]);
    ends[0] = -1;
  }

  int ends[2];
};

char next(InputBuffer& input) {
  const char c = static_cast<char>(input.available().front());
  input.consume(1);
  return c;
}

}  // namespace

TEST_CASE("what a client sends arrives, whether it was looked for or slept for") {
  Connection connection;
  InputBuffer input(connection.ends[1]);
  BusyPollSlot slot;
  BusyPoll busy_poll(slot);
  // At once, soon, late, and again soon: each kind of wait after each other kind.
  const std::chrono::microseconds pauses[] = {
      std::chrono::microseconds(0), std::chrono::microseconds(50), std::chrono::milliseconds(5)};
  for (const auto first : pauses) {
    for (const auto second : pauses) {
      std::thread client([&] {
        std::this_thread::sleep_for(first);
        connection.send('a');
        std::this_thread::sleep_for(second);
        connection.send('b');
      });
      REQUIRE(busy_poll.fill(input));
      CHECK(next(input) == 'a');
      if (input.available().empty()) REQUIRE(busy_poll.fill(input));
      CHECK(next(input) == 'b');
      client.join();
    }
  }
}

TEST_CASE("a client that hangs up is noticed, asleep or not") {
  for (const auto pause : {std::chrono::milliseconds(0), std::chrono::milliseconds(5)}) {
    Connection connection;
    InputBuffer input(connection.ends[1]);
    BusyPollSlot slot;
    BusyPoll busy_poll(slot);
    std::thread client([&] {
      std::this_thread::sleep_for(pause);
      connection.hang_up();
    });
    CHECK_FALSE(busy_poll.fill(input));
    client.join();
  }
}

TEST_CASE("a connection that sleeps leaves the looking to another") {
  if (std::thread::hardware_concurrency() < 2) return;
  Connection connection;
  InputBuffer input(connection.ends[1]);
  BusyPollSlot slot;
  BusyPoll busy_poll(slot);
  REQUIRE(slot.take());
  SUBCASE("while another looks it sleeps at once, and is served") {
    connection.send('a');
    CHECK(busy_poll.fill(input));
    slot.give_back();
  }
  SUBCASE("its own look ends by itself") {
    slot.give_back();
    std::thread server([&] { busy_poll.fill(input); });
    // It may not have begun its look yet, or be in it; at the latest asleep it holds nothing.
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    bool free = false;
    while (!free && std::chrono::steady_clock::now() < deadline) free = slot.take();
    CHECK(free);
    connection.hang_up();
    server.join();
  }
}
