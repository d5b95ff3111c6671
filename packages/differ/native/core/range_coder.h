// An adaptive binary range coder (carryless, 32-bit) and models for numbers on top of it. Integer
// arithmetic only: both hosts compute the same probabilities, whatever their processor.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "bytes.h"

namespace reprise::differ {

// Probability of a 1, in 1/65536, never 0 nor 1.
using Probability = std::uint16_t;

struct BitModel {
  Probability one = 32768;
  std::uint8_t seen = 0;

  // Adapts fast at first (the mean of what was seen), then at a fixed rate.
  void update(unsigned bit) {
    static constexpr std::uint8_t kSlowest = 5;
    const unsigned rate = seen < kSlowest ? seen + 1u : kSlowest;
    if (seen < kSlowest) ++seen;
    const int target = bit != 0 ? 65535 - 16 : 16;
    one = static_cast<Probability>(one + ((target - static_cast<int>(one)) >> rate));
  }
};

class RangeEncoder {
 public:
  void encode(unsigned bit, Probability one) {
    const std::uint32_t middle = split(one);
    if (bit != 0) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    while (((low_ ^ high_) & 0xff000000u) == 0) {
      out_.push_back(static_cast<std::uint8_t>(high_ >> 24));
      low_ <<= 8;
      high_ = high_ << 8 | 255;
    }
  }

  void encode(unsigned bit, BitModel& model) {
    encode(bit, model.one);
    model.update(bit);
  }

  // Ends the message with as few bytes as tell it apart; the decoder reads zeros past the end.
  Bytes finish() {
    if (low_ > 0) {
      // The shortest prefix p with low <= p000… <= high.
      for (unsigned bytes = 1; bytes <= 4; ++bytes) {
        const unsigned shift = 32 - 8 * bytes;
        const std::uint64_t rounded =
            ((static_cast<std::uint64_t>(low_) + ((1ull << shift) - 1)) >> shift) << shift;
        if (rounded <= high_) {
          for (unsigned i = 0; i < bytes; ++i) {
            out_.push_back(static_cast<std::uint8_t>(rounded >> (24 - 8 * i)));
          }
          break;
        }
      }
    }
    while (!out_.empty() && out_.back() == 0) out_.pop_back();
    low_ = 0;
    high_ = 0xffffffff;
    return std::move(out_);
  }

 private:
  std::uint32_t split(Probability one) const {
    return low_ +
           static_cast<std::uint32_t>((static_cast<std::uint64_t>(high_ - low_) * one) >> 16);
  }

  std::uint32_t low_ = 0;
  std::uint32_t high_ = 0xffffffff;
  Bytes out_;
};

class RangeDecoder {
 public:
  explicit RangeDecoder(std::span<const std::uint8_t> bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next();
  }

  unsigned decode(Probability one) {
    const std::uint32_t middle =
        low_ + static_cast<std::uint32_t>((static_cast<std::uint64_t>(high_ - low_) * one) >> 16);
    const unsigned bit = code_ <= middle ? 1 : 0;
    if (bit != 0) {
      high_ = middle;
    } else {
      low_ = middle + 1;
    }
    while (((low_ ^ high_) & 0xff000000u) == 0) {
      low_ <<= 8;
      high_ = high_ << 8 | 255;
      code_ = code_ << 8 | next();
    }
    return bit;
  }

  unsigned decode(BitModel& model) {
    const unsigned bit = decode(model.one);
    model.update(bit);
    return bit;
  }

 private:
  std::uint8_t next() { return at_ < bytes_.size() ? bytes_[at_++] : 0; }

  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
  std::uint32_t low_ = 0;
  std::uint32_t high_ = 0xffffffff;
  std::uint32_t code_ = 0;
};

// One model serves both directions: `Coder` is an encoder or a decoder, chosen at compile time.
inline unsigned codeBit(RangeEncoder& coder, BitModel& model, unsigned bit) {
  coder.encode(bit, model);
  return bit;
}
inline unsigned codeBit(RangeDecoder& coder, BitModel& model, unsigned) {
  return coder.decode(model);
}

// A symbol of `Bits` bits, most significant first.
template <unsigned Bits>
class SymbolModel {
 public:
  template <typename Coder>
  unsigned code(Coder& coder, unsigned symbol) {
    unsigned node = 1;
    for (unsigned i = Bits; i-- > 0;) {
      node = node << 1 | codeBit(coder, nodes_[node], symbol >> i & 1);
    }
    return node - (1u << Bits);
  }

 private:
  std::array<BitModel, 1u << Bits> nodes_;
};

// An unsigned number: its width by an adaptive tree, the bits below the leading one adaptive for
// the top three, then one model a position (even bits cost one bit each). Values below 2^48.
class NumberModel {
 public:
  static constexpr unsigned kMaxWidth = 48;

  template <typename Coder>
  std::uint64_t code(Coder& coder, std::uint64_t value) {
    unsigned width = 0;
    for (std::uint64_t rest = value; rest != 0; rest >>= 1) ++width;
    width = width_.code(coder, width);
    if (width <= 1) return width;
    if (width > kMaxWidth)
      width = kMaxWidth;  // only a hostile stream says so; callers check ranges
    std::uint64_t result = 1;
    unsigned node = 1;
    for (unsigned i = width - 1; i-- > 0;) {
      const unsigned depth = width - 2 - i;
      BitModel& model = depth < kAdaptive ? top_[width][node] : rest_[width][i];
      const unsigned bit = codeBit(coder, model, static_cast<unsigned>(value >> i & 1));
      if (depth < kAdaptive) node = node << 1 | bit;
      result = result << 1 | bit;
    }
    return result;
  }

 private:
  static constexpr unsigned kAdaptive = 3;
  SymbolModel<6> width_;
  std::array<std::array<BitModel, 1u << kAdaptive>, kMaxWidth + 1> top_;
  std::array<std::array<BitModel, kMaxWidth>, kMaxWidth + 1> rest_;
};

class SignedModel {
 public:
  template <typename Coder>
  std::int64_t code(Coder& coder, std::int64_t value) {
    const std::uint64_t magnitude =
        magnitude_.code(coder, static_cast<std::uint64_t>(value < 0 ? -value : value));
    if (magnitude == 0) return 0;
    const unsigned negative = codeBit(coder, sign_, value < 0 ? 1 : 0);
    return negative != 0 ? -static_cast<std::int64_t>(magnitude)
                         : static_cast<std::int64_t>(magnitude);
  }

 private:
  NumberModel magnitude_;
  BitModel sign_;
};

}  // namespace reprise::differ
