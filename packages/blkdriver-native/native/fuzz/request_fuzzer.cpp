// A request that passes the check must be one that the device can take.
#include <cstdlib>

#include "nbd/request.h"

using namespace reprise::blk::nbd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < Request::kBytes + 1) return 0;
  const std::span in(reinterpret_cast<const std::byte*>(data), size);
  const auto request = parse_request(in.first<Request::kBytes>());
  if (!request) return 0;
  Agreement agreement{.structured_replies = (data[Request::kBytes] & 1) != 0};
  if ((data[Request::kBytes] & 2) != 0) agreement.contexts.push_back(kMetaContexts[0]);
  constexpr std::uint64_t kDisk = (1 << 20) + 512;
  if (check_request(*request, kDisk, agreement) != kWireOk) return 0;
  if (request->command == Command::kFlush || request->command == Command::kDisconnect) return 0;
  const bool inside =
      request->length > 0 && request->offset < kDisk && request->length <= kDisk - request->offset;
  if (!inside || is_unbearable(*request)) std::abort();
  return 0;
}
