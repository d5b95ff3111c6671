// The proof: a SHA-256 tree over leaves of 64 KiB. leaf = SHA-256(0x00 || 64 KiB), the last one
// padded with zeros; node = SHA-256(0x01 || left || right); an odd node is promoted unchanged.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "image.h"

namespace reprise::differ {

using Digest = std::array<std::uint8_t, 32>;

// Digests of leaves [first, first + count), 32 B each. Leaves that no extent touches cost nothing.
std::vector<std::uint8_t> hashLeaves(const Image& image, std::uint64_t first, std::uint64_t count);

// One level up. `level` holds whole digests.
std::vector<std::uint8_t> merkleParents(std::span<const std::uint8_t> level);

// The root of an image without leaves is SHA-256(0x00).
Digest merkleRoot(std::span<const std::uint8_t> leaves);

}  // namespace reprise::differ
