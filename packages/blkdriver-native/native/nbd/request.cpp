#include "nbd/request.h"

#include "nbd/wire.h"

namespace reprise::blk::nbd {
namespace {

std::uint16_t allowed_flags(Command command, const Agreement& agreement) noexcept {
  switch (command) {
    case Command::kRead:
      // FUA on other commands says nothing, but the protocol allows it everywhere.
      return static_cast<std::uint16_t>(kCmdFlagFua |
                                        (agreement.structured_replies ? kCmdFlagDf : 0));
    case Command::kWriteZeroes:
      return kCmdFlagFua | kCmdFlagNoHole | kCmdFlagFastZero;
    case Command::kBlockStatus:
      return kCmdFlagFua | kCmdFlagReqOne;
    case Command::kWrite:
    case Command::kDisconnect:
    case Command::kFlush:
    case Command::kTrim:
    case Command::kCache:
      break;
  }
  return kCmdFlagFua;
}

}  // namespace

std::optional<Request> parse_request(std::span<const std::byte, Request::kBytes> in) noexcept {
  if (load<std::uint32_t>(in) != kMagicRequest) return std::nullopt;
  Request request;
  request.flags = load<std::uint16_t>(in.subspan(4));
  request.command = static_cast<Command>(load<std::uint16_t>(in.subspan(6)));
  request.cookie = load<std::uint64_t>(in.subspan(8));
  request.offset = load<std::uint64_t>(in.subspan(16));
  request.length = load<std::uint32_t>(in.subspan(24));
  return request;
}

WireError check_request(const Request& request, std::uint64_t disk_bytes,
                        const Agreement& agreement) noexcept {
  if (static_cast<std::uint16_t>(request.command) >
      static_cast<std::uint16_t>(Command::kBlockStatus)) {
    return kWireInvalid;
  }
  if ((request.flags & ~allowed_flags(request.command, agreement)) != 0) return kWireInvalid;
  if (request.command == Command::kFlush || request.command == Command::kDisconnect) {
    return kWireOk;
  }
  if (request.command == Command::kBlockStatus && agreement.contexts.empty()) {
    return kWireInvalid;
  }
  if (request.length == 0) return kWireInvalid;
  const bool carries_data = request.command == Command::kRead || request.command == Command::kWrite;
  if (carries_data && request.length > kMostPayloadBytes) {
    // The protocol keeps "overflow" for a READ that may not be fragmented.
    return request.has(kCmdFlagDf) ? kWireOverflow : kWireInvalid;
  }
  if (request.offset > disk_bytes || request.length > disk_bytes - request.offset) {
    const bool writes =
        request.command == Command::kWrite || request.command == Command::kWriteZeroes;
    return writes ? kWireNoSpace : kWireInvalid;
  }
  return kWireOk;
}

WireError wire_error(std::error_code error) noexcept {
  if (!error) return kWireOk;
  if (error == std::errc::no_space_on_device || error.value() == EDQUOT) return kWireNoSpace;
  if (error == std::errc::operation_not_supported) return kWireNotSupported;
  if (error == std::errc::not_enough_memory) return kWireNoMemory;
  if (error == std::errc::read_only_file_system || error == std::errc::operation_not_permitted) {
    return kWirePerm;
  }
  if (error == std::errc::bad_file_descriptor) return kWireShutdown;
  return kWireIo;
}

}  // namespace reprise::blk::nbd
