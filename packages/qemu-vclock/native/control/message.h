// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "session/event.h"
#include "session/mark.h"

/**
 * The control protocol, as bytes. A pure unit: nothing here knows of sockets or of QEMU. Every
 * number is little-endian; docs/control-protocol.md has the tables.
 */
namespace reprise::vclock {

inline constexpr std::uint8_t kProtocolVersion = 2;
/** Of a message, its length field not counted. */
inline constexpr std::size_t kMostMessageBytes = 1U << 20;
inline constexpr std::size_t kLengthBytes = 4;
inline constexpr std::size_t kHeadBytes = 6;

struct StatusRequest {};
struct NowRequest {};
/** Begin a session: events come as they happen and are injected at the next tick. */
struct RecordRequest {
  std::int64_t tick_ns = 0;
  bool paced = false;
  /** Between two marks; 0: none are taken. */
  std::int64_t mark_ns = 0;
};
struct InputRequest {
  Event event;
};
/** More of the log that a replay will inject. */
struct AppendRequest {
  std::vector<TimedEvent> events;
};
/** Begin a replay of what was appended, before the guest runs; it stops at this time. */
struct ReplayRequest {
  std::int64_t stop_at_ns = 0;
  std::int64_t mark_ns = 0;
};
/** Be told when the guest was told to stop. */
struct WaitRequest {};
/** Be told of the next mark, or that none comes any more. */
struct MarkRequest {};
/** Stop the guest at the first tick at or after this time. */
struct StopRequest {
  std::int64_t at_ns = 0;
};

using RequestBody =
    std::variant<StatusRequest, NowRequest, RecordRequest, InputRequest, AppendRequest,
                 ReplayRequest, StopRequest, WaitRequest, MarkRequest>;

struct Request {
  std::uint32_t id = 0;
  RequestBody body;
};

enum class Fault : std::uint16_t {
  kMalformed = 1,
  kUnknownVersion = 2,
  kUnknownRequest = 3,
  kWrongState = 4,
  kTooMuch = 5,
};

struct Refusal {
  std::uint32_t id = 0;
  Fault fault = Fault::kMalformed;
  std::string text;
};

/** Reads one message. Whatever the bytes are, the result is a request or a reason. */
std::variant<Request, Refusal> decode_request(std::span<const std::byte> message);

struct StatusReport {
  std::uint8_t mode = 0;
  std::int64_t now_ns = 0;
  std::int64_t session_ns = 0;
  std::int64_t instructions = 0;
  std::int64_t lag_ns = 0;
  std::uint64_t injected = 0;
  std::uint64_t waiting = 0;
  std::int64_t latest_ns = 0;
  std::uint64_t disk_requests = 0;
  std::int64_t disk_ns = 0;
};

/** Whole replies, with their length fields. */
std::vector<std::byte> encode_time(std::uint32_t id, std::int64_t ns);
std::vector<std::byte> encode_mark(std::uint32_t id, const Mark& mark);
std::vector<std::byte> encode_status(std::uint32_t id, const StatusReport& report);
std::vector<std::byte> encode_refusal(const Refusal& refusal);

}  // namespace reprise::vclock
