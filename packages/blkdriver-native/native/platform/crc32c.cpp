#include "platform/crc32c.h"

#include <array>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace reprise::blk {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0x82F63B78u : 0u);
    table[i] = value;
  }
  return table;
}

constexpr auto kTable = make_table();

std::uint32_t step(std::uint32_t crc, std::uint8_t byte) noexcept {
  return kTable[(crc ^ byte) & 0xff] ^ (crc >> 8);
}

std::uint32_t word_in_table(std::uint32_t crc, std::uint64_t word) noexcept {
  for (int i = 0; i < 8; ++i) crc = step(crc, static_cast<std::uint8_t>(word >> (8 * i)));
  return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t words_in_hardware(std::uint64_t a, std::uint64_t b,
                                                                  std::uint64_t c) noexcept {
  std::uint64_t crc = 0xffffffffu;
  crc = _mm_crc32_u64(crc, a);
  crc = _mm_crc32_u64(crc, b);
  crc = _mm_crc32_u64(crc, c);
  return ~static_cast<std::uint32_t>(crc);
}

bool has_hardware() noexcept {
  return __builtin_cpu_supports("sse4.2") != 0;
}
#endif

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed) noexcept {
  std::uint32_t crc = ~seed;
  for (const std::byte byte : data) crc = step(crc, static_cast<std::uint8_t>(byte));
  return ~crc;
}

std::uint32_t crc32c_words(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept {
#if defined(__x86_64__)
  static const bool hardware = has_hardware();
  if (hardware) return words_in_hardware(a, b, c);
#endif
  return ~word_in_table(word_in_table(word_in_table(0xffffffffu, a), b), c);
}

}  // namespace reprise::blk
