// Pages that must be carried, coded against reference pages that both sides hold and against the
// pages carried before them.
#pragma once

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "bytes.h"
#include "page.h"

namespace reprise::differ {

// Pages carried earlier that later groups may refer to.
inline constexpr std::size_t kCarriedWindowPages = 192;

class DeltaEncoder {
 public:
  explicit DeltaEncoder(int level);
  // `references` and `pages` hold the same number of pages, concatenated.
  Bytes encode(std::span<const std::uint8_t> references, std::span<const std::uint8_t> pages);

 private:
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
  Bytes window_;
};

class DeltaDecoder {
 public:
  DeltaDecoder();
  // Returns as many bytes as `references` holds; throws FRAME_CORRUPT.
  Bytes decode(std::span<const std::uint8_t> payload, std::span<const std::uint8_t> references);
  void reset() { window_.clear(); }

 private:
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  Bytes window_;
};

}  // namespace reprise::differ
