// Follows the last place where the most recent bytes stood before, and foresees what comes next.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "zeroed_array.h"

namespace reprise::differ {

class MatchFollower {
 public:
  // Follows what agrees in `minimum` bytes, and goes on beside a byte that differs if `isPatient`:
  // structures repeat but for some fields.
  explicit MatchFollower(unsigned minimum, bool isPatient = false)
      : minimum_(minimum), isPatient_(isPatient), table_(1u << kMatchHashBits) {}

  // `history` has just grown by one byte.
  void advance(const std::vector<std::uint8_t>& history) {
    const std::size_t n = history.size();
    if (at_ > 0 && history[at_] == history[n - 1]) {
      ++at_;
      if (length_ < 65535) ++length_;
      if (misses_ > 0 && length_ % kForgivenAfter == kForgivenAfter - 1) --misses_;
    } else if (isPatient_ && at_ > 0 && misses_ < kPatience) {
      ++at_;
      length_ = 0;
      misses_ += 2;
    } else {
      leave();
    }
    if (n < minimum_) return;
    const std::uint32_t hash = hashOf(history.data() + n - minimum_);
    const std::size_t candidate = table_[hash];
    if (at_ == 0 || (isPatient_ && length_ < minimum_)) {
      const unsigned agreed = agreement(history, candidate);
      if (agreed >= minimum_) {
        at_ = candidate;
        length_ = agreed;
        misses_ = 0;
      }
    }
    table_[hash] = static_cast<std::uint32_t>(n);
  }

  void forget() {
    table_.clear();
    leave();
  }

  // The next bytes it expects, if it follows anything and knows that many.
  bool read(const std::vector<std::uint8_t>& history, std::uint8_t* out, std::size_t count) const {
    if (at_ == 0 || at_ + count > history.size()) return false;
    std::memcpy(out, history.data() + at_, count);
    return true;
  }

  bool follows() const { return at_ > 0; }
  std::uint8_t predicted(const std::vector<std::uint8_t>& history) const { return history[at_]; }
  unsigned length() const { return at_ > 0 ? length_ : 0; }
  // What differed lately, below kPatience + 2.
  unsigned misses() const { return misses_; }

 private:
  static constexpr unsigned kMatchHashBits = 20;
  static constexpr unsigned kPatience = 8;
  static constexpr unsigned kForgivenAfter = 16;
  static constexpr unsigned kMaxAgreement = 32;

  void leave() {
    at_ = 0;
    length_ = 0;
    misses_ = 0;
  }

  // Bytes before `at` that are the latest ones; 0 for nowhere.
  static unsigned agreement(const std::vector<std::uint8_t>& history, std::size_t at) {
    const std::size_t n = history.size();
    unsigned length = 0;
    while (length < kMaxAgreement && length < at &&
           history[at - 1 - length] == history[n - 1 - length]) {
      ++length;
    }
    return length;
  }

  std::uint32_t hashOf(const std::uint8_t* bytes) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, std::min<std::size_t>(minimum_, 8));
    return static_cast<std::uint32_t>((value * 0x9E3779B97F4A7C15ull) >> (64 - kMatchHashBits));
  }

  unsigned minimum_;
  bool isPatient_;
  ZeroedArray<std::uint32_t> table_;
  std::size_t at_ = 0;
  unsigned length_ = 0;
  unsigned misses_ = 0;
};

}  // namespace reprise::differ
