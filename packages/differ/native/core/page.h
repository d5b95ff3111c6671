// Pages, where they stand, and the two questions asked of every one: is it zero, is it equal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace reprise::differ {

inline constexpr std::size_t kPageSize = 4096;
inline constexpr std::size_t kLeafSize = 65536;

using Page = std::span<const std::uint8_t, kPageSize>;
using MutablePage = std::span<std::uint8_t, kPageSize>;

enum class Space : std::uint8_t { ram = 0, disk = 1 };

// A page of a state, packed: bit 0 is the space, the rest is the page's number.
struct Location {
  std::uint64_t packed;

  static constexpr Location of(Space space, std::uint64_t page) {
    return {page << 1 | static_cast<std::uint64_t>(space)};
  }
  constexpr Space space() const { return static_cast<Space>(packed & 1); }
  constexpr std::uint64_t page() const { return packed >> 1; }
  friend constexpr bool operator==(Location, Location) = default;
};

inline constexpr std::uint64_t kNowhere = ~std::uint64_t{0};

alignas(64) inline constexpr std::uint8_t kZeroPage[kPageSize] = {};

inline bool pagesEqual(const std::uint8_t* a, const std::uint8_t* b) {
  return std::memcmp(a, b, kPageSize) == 0;
}

// Most pages that are not zero say so in their first line, hence the early look.
inline bool isZeroPage(const std::uint8_t* page) {
  std::uint64_t head;
  std::memcpy(&head, page, sizeof head);
  return head == 0 && pagesEqual(page, kZeroPage);
}

constexpr std::uint64_t pagesOf(std::uint64_t bytes) {
  return bytes / kPageSize + (bytes % kPageSize != 0);
}

}  // namespace reprise::differ
