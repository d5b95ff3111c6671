#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace reprise::blk {

/// CRC-32C (Castagnoli, reflected, final inversion): the checksum of iSCSI and ext4.
std::uint32_t crc32c(std::span<const std::byte> data, std::uint32_t seed = 0) noexcept;

/// The same of three little-endian words, for checksums on the write path.
std::uint32_t crc32c_words(std::uint64_t a, std::uint64_t b, std::uint64_t c) noexcept;

}  // namespace reprise::blk
