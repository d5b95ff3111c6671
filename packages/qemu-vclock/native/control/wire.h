// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace reprise::vclock {

/** Takes little-endian numbers off the front of a message; once it came up short it stays failed.
 */
class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  template <typename T>
  T number() noexcept {
    if (rest_.size() < sizeof(T)) {
      fail();
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); i++) {
      value |= std::uint64_t{std::to_integer<std::uint8_t>(rest_[i])} << (8 * i);
    }
    rest_ = rest_.subspan(sizeof(T));
    return static_cast<T>(value);
  }

  std::span<const std::byte> bytes(std::size_t count) noexcept {
    if (rest_.size() < count) {
      fail();
      return {};
    }
    const auto taken = rest_.first(count);
    rest_ = rest_.subspan(count);
    return taken;
  }

  void fail() noexcept {
    failed_ = true;
    rest_ = {};
  }

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  /** Everything was read, and nothing was missing. */
  [[nodiscard]] bool complete() const noexcept { return !failed_ && rest_.empty(); }
  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }

 private:
  std::span<const std::byte> rest_;
  bool failed_ = false;
};

template <typename T>
void put_number(std::vector<std::byte>& out, T value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(T); i++) {
    out.push_back(static_cast<std::byte>((bits >> (8 * i)) & 0xff));
  }
}

}  // namespace reprise::vclock
