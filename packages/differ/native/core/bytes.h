// Reading and writing of small binary formats; reading never leaves its buffer.
#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "fault.h"

namespace reprise::differ {

using Bytes = std::vector<std::uint8_t>;

// LEB128.
inline void putVarint(Bytes& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<std::uint8_t>(value));
}

template <typename T>
void putLittleEndian(Bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

class ByteReader {
 public:
  // Faults carry `code` and `message`, which belong to the format being read.
  ByteReader(std::span<const std::uint8_t> bytes, const char* code, const char* message)
      : bytes_(bytes), code_(code), message_(message) {}

  std::uint8_t byte() { return take(1)[0]; }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t next = byte();
      if (shift == 63 && next > 1) fail();
      value |= static_cast<std::uint64_t>(next & 0x7f) << shift;
      if ((next & 0x80) == 0) return value;
    }
    fail();
  }

  template <typename T>
  T littleEndian() {
    const auto raw = take(sizeof(T));
    T value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) value |= static_cast<T>(raw[i]) << (8 * i);
    return value;
  }

  std::span<const std::uint8_t> take(std::uint64_t count) {
    if (count > bytes_.size()) fail();
    const auto taken = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return taken;
  }

  std::size_t remaining() const { return bytes_.size(); }
  [[noreturn]] void fail() const { throw Fault(code_, message_); }

 private:
  std::span<const std::uint8_t> bytes_;
  const char* code_;
  const char* message_;
};

}  // namespace reprise::differ
