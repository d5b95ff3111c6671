#include "nbd/request.h"

#include <doctest/doctest.h>

using namespace reprise::blk::nbd;

namespace {

constexpr std::uint64_t kDisk = 1 << 20;

WireError check(Request request, bool structured = true) {
  Agreement agreement{.structured_replies = structured};
  agreement.contexts.assign(std::begin(kMetaContexts), std::end(kMetaContexts));
  return check_request(request, kDisk, agreement);
}

}  // namespace

TEST_CASE("requests inside the disk pass, others get the error that the protocol names") {
  CHECK(check({.command = Command::kRead, .offset = 0, .length = 1 << 20}) == kWireOk);
  CHECK(check({.command = Command::kRead, .offset = kDisk, .length = 1}) == kWireInvalid);
  CHECK(check({.command = Command::kWrite, .offset = kDisk - 1, .length = 2}) == kWireNoSpace);
  CHECK(check({.command = Command::kTrim, .offset = ~0ull, .length = ~0u}) == kWireInvalid);
  CHECK(check({.command = Command::kRead, .offset = 0, .length = 0}) == kWireInvalid);
  CHECK(check({.command = Command::kFlush}) == kWireOk);
  CHECK(check({.command = static_cast<Command>(77), .length = 1}) == kWireInvalid);
}

TEST_CASE("flags that a command does not have are refused") {
  CHECK(check({.command = Command::kRead, .flags = kCmdFlagDf, .length = 1}) == kWireOk);
  CHECK(check({.command = Command::kRead, .flags = kCmdFlagDf, .length = 1}, false) ==
        kWireInvalid);
  CHECK(check({.command = Command::kWrite, .flags = kCmdFlagNoHole, .length = 1}) == kWireInvalid);
  CHECK(check({.command = Command::kWriteZeroes, .flags = 1 << 9, .length = 1}) == kWireInvalid);
}

TEST_CASE("a payload beyond the limit ends the connection, a read beyond it is an error") {
  const std::uint32_t too_long = kMostPayloadBytes + 1;
  CHECK(is_unbearable({.command = Command::kWrite, .length = too_long}));
  CHECK_FALSE(is_unbearable({.command = Command::kTrim, .length = too_long}));
  CHECK(check({.command = Command::kRead, .length = too_long}) == kWireInvalid);
  CHECK(check({.command = Command::kRead, .flags = kCmdFlagDf, .length = too_long}) ==
        kWireOverflow);
}
