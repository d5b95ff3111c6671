#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>

namespace reprise::blk::testing {

/// SplitMix64. Tests print the seed, so that a failure can be run again.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
  /// From 0 to `n` - 1.
  std::uint64_t below(std::uint64_t n) { return next() % n; }

 private:
  std::uint64_t state_;
};

/// How many rounds a randomized test runs: REPRISE_BLK_ROUNDS, ten times the usual
/// with REPRISE_LONG=1, else `usual`.
inline std::uint64_t rounds(std::uint64_t usual) {
  if (const char* const wanted = std::getenv("REPRISE_BLK_ROUNDS")) return std::stoull(wanted);
  const char* const longer = std::getenv("REPRISE_LONG");
  return longer != nullptr && longer[0] == '1' ? usual * 10 : usual;
}

}  // namespace reprise::blk::testing
