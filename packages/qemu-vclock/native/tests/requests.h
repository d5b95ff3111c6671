// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

#include "control/message.h"
#include "control/wire.h"
#include "session/mark.h"

namespace reprise::vclock::testing {

using Bytes = std::vector<std::byte>;

/** A message as the controller would send it, without its length field. */
inline Bytes message(std::uint8_t type, std::uint32_t id, const Bytes& body = {},
                     std::uint8_t version = kProtocolVersion) {
  Bytes out;
  put_number(out, version);
  put_number(out, type);
  put_number(out, id);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

inline Bytes framed(const Bytes& message) {
  Bytes out;
  put_number(out, static_cast<std::uint32_t>(message.size()));
  out.insert(out.end(), message.begin(), message.end());
  return out;
}

inline Bytes key_body(std::uint32_t number, std::uint8_t down) {
  Bytes out;
  put_number(out, std::uint8_t{1});
  put_number(out, number);
  put_number(out, down);
  return out;
}

/** What a reply says, read back. */
struct ReadReply {
  std::uint8_t type = 0;
  std::uint32_t id = 0;
  std::int64_t time_ns = 0;
  std::uint16_t fault = 0;
  Mark mark;
};

inline ReadReply read_reply(std::span<const std::byte> bytes) {
  WireReader in(bytes);
  ReadReply reply;
  in.number<std::uint32_t>();
  in.number<std::uint8_t>();
  reply.type = in.number<std::uint8_t>();
  reply.id = in.number<std::uint32_t>();
  if (reply.type == 0x80) reply.time_ns = in.number<std::int64_t>();
  if (reply.type == 0x82) {
    reply.mark.at_ns = in.number<std::int64_t>();
    reply.mark.trace.instructions = in.number<std::int64_t>();
    reply.mark.trace.disk_requests = in.number<std::uint64_t>();
    reply.mark.trace.disk_digest = in.number<std::uint64_t>();
    reply.mark.input_digest = in.number<std::uint64_t>();
    reply.mark.memory_digest = in.number<std::uint64_t>();
    reply.mark.trace.frames_received = in.number<std::uint16_t>();
    reply.mark.trace.frames_sent = in.number<std::uint16_t>();
  }
  if (reply.type == 0xff) reply.fault = in.number<std::uint16_t>();
  return reply;
}

}  // namespace reprise::vclock::testing
