#include "sketch.h"

#include <algorithm>
#include <cstring>

#include "page.h"

namespace reprise::differ {
namespace {

constexpr std::size_t kLane = 16;  // a window is two lanes
constexpr std::size_t kLanes = kPageSize / kLane;

std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::uint64_t rotate(std::uint64_t value, unsigned by) {
  return value << by | value >> (64 - by);
}

// Each lane is hashed once, a window from its two lanes' hashes.
std::uint64_t hashLane(std::uint64_t a, std::uint64_t b) {
  const auto product =
      static_cast<unsigned __int128>(a ^ 0x9E3779B97F4A7C15u) * (b ^ 0xC2B2AE3D27D4EB4Fu);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

}  // namespace

Sketch sketchOf(const std::uint8_t* page) {
  std::array<std::uint64_t, kSketchSize> smallest;
  smallest.fill(~std::uint64_t{0});
  std::uint64_t a = load64(page), b = load64(page + 8);
  std::uint64_t lane = hashLane(a, b);
  for (std::size_t i = 1; i < kLanes; ++i) {
    const std::uint64_t c = load64(page + i * kLane), d = load64(page + i * kLane + 8);
    const std::uint64_t next = hashLane(c, d);
    // Zeros and fillers resemble everything.
    if (a != b || c != d || a != c) {
      std::uint64_t hash = (lane + rotate(next, 29)) * 0xBF58476D1CE4E5B9u;
      hash ^= hash >> 32;
      std::uint64_t& least = smallest[hash >> 61];
      least = std::min(least, hash);
    }
    a = c;
    b = d;
    lane = next;
  }
  Sketch sketch;
  for (std::size_t i = 0; i < kSketchSize; ++i) {
    sketch[i] = smallest[i] == ~std::uint64_t{0}
                    ? kNoFeature
                    : std::max<std::uint32_t>(static_cast<std::uint32_t>(smallest[i]), 1);
  }
  return sketch;
}

}  // namespace reprise::differ
