#include "nbd/handshake.h"

#include <doctest/doctest.h>

#include "nbd/wire.h"

using namespace reprise::blk::nbd;

namespace {

using Bytes = std::vector<std::byte>;

struct Client {
  Export served{.name = "disk", .size_bytes = 1 << 20};
  Handshake handshake{served};
  Bytes out;

  Client() {
    Bytes flags;
    WireWriter(flags).put(std::uint32_t{3});
    feed(flags);
  }
  void feed(const Bytes& in) {
    out.clear();
    CHECK(handshake.advance(in, out) == in.size());
  }
  /// Sends an option and gives the type of the last reply.
  std::uint32_t ask(std::uint32_t option, const Bytes& payload = {}) {
    Bytes in;
    WireWriter(in).put(kMagicOption).put(option).put(static_cast<std::uint32_t>(payload.size()));
    in.insert(in.end(), payload.begin(), payload.end());
    feed(in);
    std::uint32_t type = 0;
    for (std::span<const std::byte> rest = out; rest.size() >= 20;) {
      CHECK(load<std::uint64_t>(rest) == kMagicOptionReply);
      type = load<std::uint32_t>(rest.subspan(12));
      rest = rest.subspan(20 + load<std::uint32_t>(rest.subspan(16)));
    }
    return type;
  }
};

Bytes go_payload(std::string_view name) {
  Bytes payload;
  WireWriter(payload).put(static_cast<std::uint32_t>(name.size())).put(name).put(std::uint16_t{0});
  return payload;
}

Bytes meta_payload(std::string_view query) {
  Bytes payload;
  WireWriter(payload)
      .put(std::uint32_t{4})
      .put("disk")
      .put(std::uint32_t{1})
      .put(static_cast<std::uint32_t>(query.size()))
      .put(query);
  return payload;
}

}  // namespace

TEST_CASE("GO for the export begins transmission, for another one it does not") {
  Client client;
  CHECK(client.ask(kOptGo, go_payload("other")) == kRepErrUnknown);
  CHECK(client.handshake.state() == Handshake::State::kOption);
  CHECK(client.ask(kOptGo, go_payload("")) == kRepAck);
  CHECK(client.handshake.state() == Handshake::State::kTransmission);
}

TEST_CASE("unknown, malformed and oversized options are answered, and the handshake goes on") {
  Client client;
  CHECK(client.ask(99) == kRepErrUnsup);
  CHECK(client.ask(kOptStartTls) == kRepErrPolicy);
  CHECK(client.ask(kOptGo, Bytes(3)) == kRepErrInvalid);
  CHECK(client.ask(kOptList, Bytes(1)) == kRepErrInvalid);
  CHECK(client.ask(kOptInfo, Bytes(100'000)) == kRepErrTooBig);
  CHECK(client.ask(kOptList) == kRepAck);
  CHECK(client.ask(kOptAbort) == kRepAck);
  CHECK(client.handshake.state() == Handshake::State::kClosed);
}

TEST_CASE("meta contexts need structured replies, and only known ones are granted") {
  Client client;
  CHECK(client.ask(kOptSetMetaContext, meta_payload("base:allocation")) == kRepErrInvalid);
  CHECK(client.ask(kOptStructuredReply) == kRepAck);
  CHECK(client.ask(kOptListMetaContext, meta_payload("qemu:dirty-bitmap:")) == kRepAck);
  CHECK(client.ask(kOptSetMetaContext, meta_payload("reprise:dirty")) == kRepAck);
  REQUIRE(client.handshake.agreement().contexts.size() == 1);
  CHECK(client.handshake.agreement().contexts[0].name == "reprise:dirty");
  CHECK(client.ask(kOptSetMetaContext, meta_payload("base:")) == kRepAck);
  CHECK(client.handshake.agreement().contexts.empty());
}

TEST_CASE("a handshake that comes byte by byte ends the same") {
  Client client;
  Bytes in;
  const Bytes payload = go_payload("disk");
  WireWriter(in)
      .put(kMagicOption)
      .put(std::uint32_t{kOptGo})
      .put(static_cast<std::uint32_t>(payload.size()));
  in.insert(in.end(), payload.begin(), payload.end());
  Bytes pending;
  for (const std::byte byte : in) {
    pending.push_back(byte);
    const std::size_t used = client.handshake.advance(pending, client.out);
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
  }
  CHECK(client.handshake.state() == Handshake::State::kTransmission);
}

TEST_CASE("a client that never stops asking is hung up on") {
  Client client;
  for (int i = 0; i < 1000 && client.handshake.state() == Handshake::State::kOption; ++i) {
    client.ask(99);
  }
  CHECK(client.handshake.state() == Handshake::State::kClosed);
}

TEST_CASE("an export name that is unknown or too long ends the handshake without a word") {
  for (const std::size_t bytes : {std::size_t{5}, std::size_t{5000}, std::size_t{100'000}}) {
    Client client;
    Bytes in;
    WireWriter(in)
        .put(kMagicOption)
        .put(std::uint32_t{kOptExportName})
        .put(static_cast<std::uint32_t>(bytes));
    if (bytes < 10'000) in.resize(in.size() + bytes);
    client.feed(in);
    CHECK(client.handshake.state() == Handshake::State::kClosed);
    CHECK(client.out.empty());
  }
}
