// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace reprise::vclock {

/** XXH3-64 of the bytes, which depends on the digest of what came before them. */
std::uint64_t folded(std::uint64_t before, std::span<const std::byte> bytes) noexcept;

}  // namespace reprise::vclock
