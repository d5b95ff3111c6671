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
  explicit MatchFollower(unsigned minimum) : minimum_(minimum), table_(1u << kMatchHashBits) {}

  // `history` has just grown by one byte.
  void advance(const std::vector<std::uint8_t>& history) {
    const std::size_t n = history.size();
    if (at_ > 0 && history[at_] == history[n - 1]) {
      ++at_;
      if (length_ < 65535) ++length_;
    } else {
      at_ = 0;
      length_ = 0;
    }
    if (n < minimum_) return;
    const std::uint32_t hash = hashOf(history.data() + n - minimum_);
    if (at_ == 0) {
      at_ = table_[hash];
      length_ = 0;
      if (at_ > 0) {
        while (length_ < 32 && length_ < at_ &&
               history[at_ - 1 - length_] == history[n - 1 - length_]) {
          ++length_;
        }
        if (length_ < minimum_) at_ = 0;
      }
    }
    table_[hash] = static_cast<std::uint32_t>(n);
  }

  void forget() {
    table_.clear();
    at_ = 0;
    length_ = 0;
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

 private:
  static constexpr unsigned kMatchHashBits = 20;

  std::uint32_t hashOf(const std::uint8_t* bytes) const {
    std::uint64_t value = 0;
    std::memcpy(&value, bytes, std::min<std::size_t>(minimum_, 8));
    return static_cast<std::uint32_t>((value * 0x9E3779B97F4A7C15ull) >> (64 - kMatchHashBits));
  }

  unsigned minimum_;
  ZeroedArray<std::uint32_t> table_;
  std::size_t at_ = 0;
  unsigned length_ = 0;
};

}  // namespace reprise::differ
