#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <system_error>

#include "nbd/handshake.h"
#include "nbd/protocol.h"

namespace reprise::blk::nbd {

struct Request {
  static constexpr std::size_t kBytes = 28;

  Command command = Command::kRead;
  std::uint16_t flags = 0;
  std::uint64_t cookie = 0;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;

  bool has(std::uint16_t flag) const noexcept { return (flags & flag) != 0; }
};

/// Nothing where the magic is wrong: the stream is out of step and must end.
std::optional<Request> parse_request(std::span<const std::byte, Request::kBytes> in) noexcept;

/// What to answer before anything is done: kWireOk to go on. A WRITE's payload
/// follows in any case.
WireError check_request(const Request& request, std::uint64_t disk_bytes,
                        const Agreement& agreement) noexcept;

/// A WRITE whose payload this server will not even skip.
inline bool is_unbearable(const Request& request) noexcept {
  return request.command == Command::kWrite && request.length > kMostPayloadBytes;
}

/// The error that the protocol has for an error of the disk.
WireError wire_error(std::error_code error) noexcept;

}  // namespace reprise::blk::nbd
