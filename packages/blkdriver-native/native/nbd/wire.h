#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <span>
#include <string_view>
#include <vector>

namespace reprise::blk::nbd {

static_assert(std::endian::native == std::endian::little, "NBD is big-endian, this code swaps");

template <std::unsigned_integral T>
constexpr T swapped(T value) noexcept {
  if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
  if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
  if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
}

/// The big-endian number at `at`, which must hold enough bytes.
template <std::unsigned_integral T>
T load(std::span<const std::byte> at) noexcept {
  T value;
  std::memcpy(&value, at.data(), sizeof value);
  return swapped(value);
}

template <std::unsigned_integral T>
void store(std::byte* at, T value) noexcept {
  value = swapped(value);
  std::memcpy(at, &value, sizeof value);
}

/// Appends big-endian numbers and bytes.
class WireWriter {
 public:
  explicit WireWriter(std::vector<std::byte>& out) : out_(out) {}

  template <std::unsigned_integral T>
  WireWriter& put(T value) {
    const std::size_t at = out_.size();
    out_.resize(at + sizeof value);
    store(out_.data() + at, value);
    return *this;
  }
  WireWriter& put(std::string_view text) {
    const auto bytes = std::as_bytes(std::span(text));
    out_.insert(out_.end(), bytes.begin(), bytes.end());
    return *this;
  }

 private:
  std::vector<std::byte>& out_;
};

/// Takes big-endian numbers and bytes off the front; once something is missing,
/// `ok()` is false and everything reads as zero.
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> in) noexcept : in_(in) {}

  template <std::unsigned_integral T>
  T take() noexcept {
    if (in_.size() < sizeof(T)) return fail(), T{0};
    const T value = load<T>(in_);
    in_ = in_.subspan(sizeof(T));
    return value;
  }
  std::string_view take_text(std::size_t length) noexcept {
    if (in_.size() < length) return fail(), std::string_view{};
    const std::string_view text(reinterpret_cast<const char*>(in_.data()), length);
    in_ = in_.subspan(length);
    return text;
  }
  bool ok() const noexcept { return ok_; }
  /// Everything was there and nothing is left.
  bool finished() const noexcept { return ok_ && in_.empty(); }

 private:
  void fail() noexcept {
    ok_ = false;
    in_ = {};
  }

  std::span<const std::byte> in_;
  bool ok_ = true;
};

}  // namespace reprise::blk::nbd
