// Blobs (device state, input logs, control): zstd, against a reference that both sides hold.
#pragma once

#include <cstdint>
#include <span>

#include "bytes.h"

namespace reprise::differ {

inline constexpr std::size_t kMaxBlobBytes = std::size_t{1} << 30;

Bytes compressBlob(std::span<const std::uint8_t> data, int level,
                   std::span<const std::uint8_t> reference);

// Never makes more than `maxBytes`. Throws BLOB_CORRUPT or BLOB_TOO_LARGE.
Bytes decompressBlob(std::span<const std::uint8_t> data, std::span<const std::uint8_t> reference,
                     std::size_t maxBytes);

}  // namespace reprise::differ
