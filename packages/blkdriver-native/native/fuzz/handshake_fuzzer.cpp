// Whatever a client says before transmission, in pieces of any size.
#include <cstdlib>

#include "nbd/handshake.h"
#include "nbd/option.h"

using namespace reprise::blk::nbd;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span in(reinterpret_cast<const std::byte*>(data), size);
  (void)parse_info_request(in);
  (void)parse_meta_request(in);
  if (size == 0) return 0;

  const Export served{.name = "disk", .size_bytes = 1 << 20};
  Handshake handshake(served);
  std::vector<std::byte> out;
  std::vector<std::byte> pending;
  const std::size_t piece = 1 + data[0];
  for (std::size_t at = 1; at < size; at += piece) {
    const auto part = in.subspan(at, std::min(piece, size - at));
    pending.insert(pending.end(), part.begin(), part.end());
    const std::size_t used = handshake.advance(pending, out);
    if (used > pending.size()) std::abort();
    pending.erase(pending.begin(), pending.begin() + static_cast<std::ptrdiff_t>(used));
    // A handshake that waits for more than an option can hold would never end.
    const auto state = handshake.state();
    if (state == Handshake::State::kOption && pending.size() > 16 + kMostOptionBytes) std::abort();
    if (state == Handshake::State::kTransmission || state == Handshake::State::kClosed) break;
  }
  return 0;
}
