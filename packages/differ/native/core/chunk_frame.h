// Runs of whole pages in zstd, each frame on its own: what seeds a host, and what repairs a state
// whose root did not prove.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "bytes.h"
#include "image.h"

namespace reprise::differ {

inline constexpr std::uint64_t kMaxChunkPages = 256;  // 1 MiB

Bytes encodeChunk(const Image& image, std::uint64_t first, std::uint64_t count, int level);

struct AppliedChunk {
  std::uint64_t first;
  std::uint64_t count;
};

// Writes the chunk into the file at `path` (made if missing), an image of `sizeBytes`. Throws
// CHUNK_CORRUPT; nothing is written then.
AppliedChunk applyChunk(std::span<const std::uint8_t> frame, const std::string& path,
                        std::uint64_t sizeBytes);

}  // namespace reprise::differ
