#include "bit_predictor.h"

#include <algorithm>
#include <bit>

// Vector instructions where the processor has them; the results are the same integers. Not under
// ThreadSanitizer: clones are chosen before it is there.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define KERNEL_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define KERNEL_CLONES
#endif

namespace reprise::differ {
namespace {

constexpr int kWellEnough = 12;  // of 4096

}  // namespace

ContextTable::ContextTable(unsigned bits) : buckets_(std::size_t{1} << bits), shift_(32 - bits) {
  afterPast_[0] = 32768;
  for (unsigned past = 1; past < afterPast_.size(); ++past) {
    const auto seen = static_cast<unsigned>(std::bit_width(past)) - 1;
    const auto ones = static_cast<unsigned>(std::popcount(past)) - 1;
    afterPast_[past] = static_cast<std::uint16_t>((2 * ones + 1) * 65535 / (2 * seen + 2));
  }
}

Mixer::Mixer(unsigned inputs, unsigned selectors, int initialWeight)
    : inputs_(inputs), weights_(std::size_t{inputs} * selectors, initialWeight) {}

KERNEL_CLONES
int Mixer::mix(const int* inputs, unsigned selector) {
  current_ = weights_.data() + std::size_t{selector} * inputs_;
  std::int32_t sum = 0;  // |input| < 2^11, |weight| < 2^21: each term below 2^24 after the shift
  for (unsigned i = 0; i < inputs_; ++i) sum += (inputs[i] * (current_[i] >> 4)) >> 8;
  const int logit = std::clamp(sum >> 4, -2047, 2047);
  probability_ = squash(logit);
  return logit;
}

KERNEL_CLONES
void Mixer::update(const int* inputs, unsigned bit, int rate) {
  const int missed = (bit != 0 ? 4095 : 0) - probability_;
  if (missed > -kWellEnough && missed < kWellEnough) return;  // nothing worth the time to learn
  const int error = missed * rate;
  for (unsigned i = 0; i < inputs_; ++i) {
    current_[i] =
        std::clamp(current_[i] + ((inputs[i] * error + 0x2000) >> 14), -(1 << 21), 1 << 21);
  }
}

AdaptiveMap::AdaptiveMap(unsigned contexts) : points_(std::size_t{contexts} * 33) {
  for (std::size_t i = 0; i < points_.size(); ++i) {
    points_[i] = static_cast<std::uint16_t>(
        std::min(squash((static_cast<int>(i % 33) - 16) * 128) * 16, 65535));
  }
}

int AdaptiveMap::refine(int logit, unsigned context) {
  const int shifted = logit + 2048;
  const int weight = shifted & 127;
  const std::size_t low = static_cast<std::size_t>(shifted >> 7) + std::size_t{context} * 33;
  current_ = weight >= 64 ? low + 1 : low;
  return (points_[low] * (128 - weight) + points_[low + 1] * weight) >> 11;
}

void AdaptiveMap::update(unsigned bit) {
  const int target = bit != 0 ? 65535 : 0;
  points_[current_] =
      static_cast<std::uint16_t>(points_[current_] + (target - points_[current_]) / 64);
}

}  // namespace reprise::differ
