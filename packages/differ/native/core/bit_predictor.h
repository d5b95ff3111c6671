// Context mixing, the bit-level half: adaptive probabilities in hashed tables, mixed by online
// logistic regression and refined by a final adaptive map. All integers, so that both hosts agree.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "zeroed_array.h"

namespace reprise::differ {

// 4096 / (1 + e^(-x/256)) at multiples of 128; between them it is interpolated.
inline constexpr std::array<int, 33> kSquashPoints = {
    1,    2,    3,    6,    10,   16,   27,   45,   73,   120,  194,
    310,  488,  747,  1101, 1546, 2047, 2549, 2994, 3348, 3607, 3785,
    3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094};

// A logit in 1/256 as a 12-bit probability.
constexpr int squash(int logit) {
  if (logit > 2047) return 4095;
  if (logit < -2047) return 0;
  const int weight = logit & 127;
  const auto at = static_cast<std::size_t>((logit >> 7) + 16);
  return (kSquashPoints[at] * (128 - weight) + kSquashPoints[at + 1] * weight + 64) >> 7;
}

// The inverse: ln(p / (1 - p)) of a 12-bit probability, in 1/256.
inline constexpr std::array<std::int16_t, 4096> kStretch = [] {
  std::array<std::int16_t, 4096> table{};
  int next = 0;
  for (int logit = -2047; logit <= 2047; ++logit) {
    for (; next <= squash(logit); ++next) {
      table[static_cast<std::size_t>(next)] = static_cast<std::int16_t>(logit);
    }
  }
  for (; next < 4096; ++next) table[static_cast<std::size_t>(next)] = 2047;
  return table;
}();

inline int stretch(int probability) {
  return kStretch[static_cast<std::size_t>(probability)];
}

// Probabilities under hashed contexts, kept a nibble at a time: one look-up (and one cache miss)
// serves four bits. A bucket that another context took starts anew.
class ContextTable {
 public:
  // 2^bits buckets of 64 B.
  explicit ContextTable(unsigned bits);

  // Chooses the bucket of a context; `hash` must be well mixed.
  void select(std::uint32_t hash) {
    bucket_ = &buckets_[hash >> shift_];
    const auto check = static_cast<std::uint16_t>(hash | 1);
    if (bucket_->slots[0] != check) {
      bucket_->slots.fill(kUnknown);
      bucket_->slots[0] = check;
      bucket_->pasts.fill(0);
    }
  }
  void prefetch(std::uint32_t hash) const { __builtin_prefetch(&buckets_[hash >> shift_]); }

  static constexpr unsigned kInputs = 3;
  // `node` is 1 to 15: the bits of the nibble so far under a leading 1. Makes kInputs mixer inputs.
  void predict(unsigned node, int* inputs) {
    current_ = &bucket_->slots[node];
    past_ = &bucket_->pasts[node];
    const int count = std::min(*current_ & 15, 8);
    const int probability = *current_ >> 4;
    inputs[0] = stretch(probability) * kConfidence[static_cast<std::size_t>(count)] >> 8;
    inputs[1] = (probability - 2048) * count >> 3;
    inputs[2] = *past_ == 0 ? 0 : stretch(afterPast_[*past_] >> 4);
  }

  void update(unsigned bit) {
    const unsigned count = *current_ & 15;
    const int probability = *current_ >> 4;
    const int target = bit != 0 ? 4095 : 0;
    const int moved = probability + (((target - probability) * kRates[count] + 0x8000) >> 16);
    *current_ =
        static_cast<std::uint16_t>(moved << 4 | static_cast<int>(std::min(count + 1, kCountLimit)));
    std::uint16_t& after = afterPast_[*past_];
    after = static_cast<std::uint16_t>(after + (((bit != 0 ? 65535 : 0) - after) >> kPastRate));
    const unsigned longer = (*past_ == 0 ? 1u : *past_) << 1 | bit;
    *past_ = static_cast<std::uint8_t>(longer > 255 ? (longer & 127) | 128 : longer);
  }

 private:
  // A slot seen once counts less than one seen often; one never seen says nothing.
  static constexpr std::array<int, 9> kConfidence = {0, 107, 128, 149, 171, 192, 213, 235, 256};
  // How far a slot seen n times moves towards a bit: 1 / (n + 1.5), in 1/65536.
  static constexpr unsigned kCountLimit = 15;
  static constexpr std::array<int, kCountLimit + 1> kRates = [] {
    std::array<int, kCountLimit + 1> rates{};
    for (unsigned n = 0; n <= kCountLimit; ++n) rates[n] = static_cast<int>(131072 / (2 * n + 3));
    return rates;
  }();

  // 12 bits of probability above 4 bits of how often the slot was seen.
  static constexpr std::uint16_t kUnknown = 2048 << 4;
  // A slot's past is its last bits, seven at most, under a leading 1; 0 before the first.
  struct alignas(64) Bucket {
    std::array<std::uint16_t, 16> slots;
    std::array<std::uint8_t, 16> pasts;
  };
  static constexpr int kPastRate = 6;
  ZeroedArray<Bucket> buckets_;
  // What followed each past, in 1/65536: how far a past is to be trusted is learned, not assumed.
  std::array<std::uint16_t, 256> afterPast_;
  unsigned shift_;
  Bucket* bucket_ = nullptr;
  std::uint16_t* current_ = nullptr;
  std::uint8_t* past_ = nullptr;
};

// One set of weights a selector value; the output is a logit.
class Mixer {
 public:
  Mixer(unsigned inputs, unsigned selectors, int initialWeight);
  int mix(const int* inputs, unsigned selector);
  void update(const int* inputs, unsigned bit, int rate);

 private:
  unsigned inputs_;
  std::vector<std::int32_t> weights_;
  std::int32_t* current_ = nullptr;
  int probability_ = 2048;
};

// Maps (context, probability) to a corrected probability, interpolating between 33 points.
class AdaptiveMap {
 public:
  explicit AdaptiveMap(unsigned contexts);
  int refine(int logit, unsigned context);
  void update(unsigned bit);

 private:
  std::vector<std::uint16_t> points_;
  std::size_t current_ = 0;
};

}  // namespace reprise::differ
