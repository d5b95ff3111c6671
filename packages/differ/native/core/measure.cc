#include "measure.h"

#include <xxhash.h>
#if defined(__x86_64__)
#include <xxh_x86dispatch.h>
#endif

#include <chrono>
#include <vector>

#include "compare.h"

namespace reprise::differ {

Yardsticks measureYardsticks(const Image& image) {
  using Clock = std::chrono::steady_clock;
  constexpr std::size_t kWindow = std::size_t{1024} * kPageSize;
  const auto seconds = [](Clock::time_point from) {
    return std::chrono::duration<double>(Clock::now() - from).count();
  };
  std::vector<std::uint8_t> window(kWindow);
  std::size_t at = 0;
  Yardsticks out{};
  auto start = Clock::now();
  visitHeldPages(image, 0, image.pageCount(), [&](std::uint64_t, const std::uint8_t* page) {
    std::memcpy(window.data() + at, page, kPageSize);
    at = (at + kPageSize) % kWindow;
    out.bytes += kPageSize;
  });
  out.memcpySeconds = seconds(start);
  volatile std::uint64_t sink = 0;
  start = Clock::now();
  visitHeldPages(image, 0, image.pageCount(), [&](std::uint64_t, const std::uint8_t* page) {
    sink = sink ^ XXH3_128bits(page, kPageSize).low64;
  });
  out.xxh3Seconds = seconds(start);
  return out;
}

}  // namespace reprise::differ
