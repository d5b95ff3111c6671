// SPDX-License-Identifier: GPL-2.0-or-later
#include "digest.h"

// All of it here: QEMU may bring a library of that name, of another version.
#define XXH_INLINE_ALL
#include <xxhash.h>

namespace reprise::vclock {

std::uint64_t folded(std::uint64_t before, std::span<const std::byte> bytes) noexcept {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), before);
}

}  // namespace reprise::vclock
