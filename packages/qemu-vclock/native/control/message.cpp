// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "control/wire.h"
#include "session/marker.h"

namespace reprise::vclock {
namespace {

enum class Type : std::uint8_t {
  kStatus = 1,
  kNow = 2,
  kRecord = 3,
  kInput = 4,
  kAppend = 5,
  kReplay = 6,
  kStop = 7,
  kWait = 8,
  kMark = 9,
  kTimeReply = 0x80,
  kStatusReply = 0x81,
  kMarkReply = 0x82,
  kRefusalReply = 0xff,
};

enum class Kind : std::uint8_t { kKey = 1, kPointer = 2, kFrame = 3 };

/** QEMU's key numbers are one byte of the set and a bit for its extension. */
constexpr std::uint32_t kMostKeyNumber = 0xff;
constexpr std::int64_t kShortestTickNs = 1'000'000;
constexpr std::int64_t kLongestTickNs = 1'000'000'000;
constexpr std::size_t kLeastEventBytes = 6;

bool flag(WireReader& in) {
  const auto value = in.number<std::uint8_t>();
  if (value > 1) in.fail();
  return value == 1;
}

/** A time that leaves room for sums: no session lasts 146 years. */
std::int64_t time_ns(WireReader& in) {
  const auto value = in.number<std::int64_t>();
  if (value < 0 || value > std::numeric_limits<std::int64_t>::max() / 2) in.fail();
  return value;
}

Event read_event(WireReader& in) {
  switch (static_cast<Kind>(in.number<std::uint8_t>())) {
    case Kind::kKey: {
      KeyEvent key{in.number<std::uint32_t>(), false};
      key.down = flag(in);
      if (key.number > kMostKeyNumber) in.fail();
      return key;
    }
    case Kind::kPointer: {
      PointerEvent pointer;
      pointer.x = in.number<std::uint16_t>();
      pointer.y = in.number<std::uint16_t>();
      pointer.buttons = in.number<std::uint8_t>();
      if (pointer.x > kMostAxis || pointer.y > kMostAxis) in.fail();
      return pointer;
    }
    case Kind::kFrame: {
      const auto length = in.number<std::uint32_t>();
      if (length == 0 || length > kMostFrameBytes) in.fail();
      const auto bytes = in.bytes(in.failed() ? 0 : length);
      return FrameEvent{{bytes.begin(), bytes.end()}};
    }
  }
  in.fail();
  return KeyEvent{};
}

std::int64_t mark_interval_ns(WireReader& in) {
  const auto value = time_ns(in);
  if (!Marker::possible(value)) in.fail();
  return value;
}

AppendRequest read_append(WireReader& in) {
  AppendRequest append;
  const auto count = in.number<std::uint32_t>();
  // Not trusted with memory: a count is worth no more than the bytes that follow it.
  append.events.reserve(std::min<std::size_t>(count, in.left() / kLeastEventBytes));
  for (std::uint32_t i = 0; i < count && !in.failed(); i++) {
    const auto at_ns = time_ns(in);
    append.events.push_back({at_ns, read_event(in)});
  }
  return append;
}

std::optional<RequestBody> read_body(Type type, WireReader& in) {
  switch (type) {
    case Type::kStatus:
      return StatusRequest{};
    case Type::kNow:
      return NowRequest{};
    case Type::kRecord: {
      RecordRequest record;
      record.tick_ns = time_ns(in);
      record.paced = flag(in);
      record.mark_ns = mark_interval_ns(in);
      if (record.tick_ns < kShortestTickNs || record.tick_ns > kLongestTickNs) in.fail();
      return record;
    }
    case Type::kInput:
      return InputRequest{read_event(in)};
    case Type::kAppend:
      return read_append(in);
    case Type::kReplay: {
      ReplayRequest replay;
      replay.stop_at_ns = time_ns(in);
      replay.mark_ns = mark_interval_ns(in);
      return replay;
    }
    case Type::kStop:
      return StopRequest{time_ns(in)};
    case Type::kWait:
      return WaitRequest{};
    case Type::kMark:
      return MarkRequest{};
    case Type::kTimeReply:
    case Type::kStatusReply:
    case Type::kMarkReply:
    case Type::kRefusalReply:
      break;
  }
  return std::nullopt;
}

std::vector<std::byte> begin(Type type, std::uint32_t id, std::size_t body_bytes) {
  std::vector<std::byte> out;
  out.reserve(kLengthBytes + kHeadBytes + body_bytes);
  put_number(out, static_cast<std::uint32_t>(kHeadBytes + body_bytes));
  put_number(out, kProtocolVersion);
  put_number(out, static_cast<std::uint8_t>(type));
  put_number(out, id);
  return out;
}

}  // namespace

std::variant<Request, Refusal> decode_request(std::span<const std::byte> message) {
  WireReader in(message);
  const auto version = in.number<std::uint8_t>();
  const auto type = in.number<std::uint8_t>();
  const auto id = in.number<std::uint32_t>();
  if (in.failed()) return Refusal{0, Fault::kMalformed, "the message is shorter than its head"};
  if (version != kProtocolVersion) {
    return Refusal{id, Fault::kUnknownVersion,
                   "this plugin speaks version 2; use the reprise that it was built with"};
  }
  auto body = read_body(static_cast<Type>(type), in);
  if (!body) return Refusal{id, Fault::kUnknownRequest, "the request is not known"};
  if (!in.complete()) {
    return Refusal{id, Fault::kMalformed, "the request does not have the shape of its type"};
  }
  return Request{id, std::move(*body)};
}

std::vector<std::byte> encode_time(std::uint32_t id, std::int64_t ns) {
  auto out = begin(Type::kTimeReply, id, sizeof(ns));
  put_number(out, ns);
  return out;
}

std::vector<std::byte> encode_mark(std::uint32_t id, const Mark& mark) {
  constexpr std::size_t kBodyBytes = 6 * sizeof(std::uint64_t) + 2 * sizeof(std::uint16_t);
  auto out = begin(Type::kMarkReply, id, kBodyBytes);
  put_number(out, mark.at_ns);
  put_number(out, mark.trace.instructions);
  put_number(out, mark.trace.disk_requests);
  put_number(out, mark.trace.disk_digest);
  put_number(out, mark.input_digest);
  put_number(out, mark.memory_digest);
  put_number(out, mark.trace.frames_received);
  put_number(out, mark.trace.frames_sent);
  return out;
}

std::vector<std::byte> encode_status(std::uint32_t id, const StatusReport& report) {
  constexpr std::size_t kBodyBytes = 1 + 9 * sizeof(std::uint64_t);
  auto out = begin(Type::kStatusReply, id, kBodyBytes);
  put_number(out, report.mode);
  put_number(out, report.now_ns);
  put_number(out, report.session_ns);
  put_number(out, report.instructions);
  put_number(out, report.lag_ns);
  put_number(out, report.injected);
  put_number(out, report.waiting);
  put_number(out, report.latest_ns);
  put_number(out, report.disk_requests);
  put_number(out, report.disk_ns);
  return out;
}

std::vector<std::byte> encode_refusal(const Refusal& refusal) {
  auto out = begin(Type::kRefusalReply, refusal.id, sizeof(std::uint16_t) + refusal.text.size());
  put_number(out, static_cast<std::uint16_t>(refusal.fault));
  for (const char c : refusal.text) out.push_back(static_cast<std::byte>(c));
  return out;
}

}  // namespace reprise::vclock
