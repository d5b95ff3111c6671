// Pages that must be carried, coded against reference pages that both sides hold and against the
// pages carried before them: by context mixing (densest, about 1 MB/s on both sides) or by zstd
// (fast).
#pragma once

#include <zstd.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bytes.h"
#include "page.h"
#include "page_model.h"

namespace reprise::differ {

// Pages carried earlier that later groups may refer to.
inline constexpr std::size_t kCarriedWindowPages = 192;

// What the coder does with the next reference: code a page against it, or only learn it, because a
// page to come resembles it (a hint, or a page that the destination knows from its replay).
enum class CarryStep : std::uint8_t { page, learn };

// From this level on pages are coded by context mixing; below, it is zstd's level.
inline constexpr int kMixedLevel = 19;

class DeltaEncoder {
 public:
  explicit DeltaEncoder(int level);
  bool isMixed() const { return isMixed_; }
  // From the next frame on. Both codings keep what they know while the other one is used.
  void setLevel(int level);
  // `references` holds a page a step, in order; `pages` one a step that is not a hint. Hints need
  // the mixed coding.
  Bytes encode(std::span<const CarryStep> steps, std::span<const std::uint8_t> references,
               std::span<const std::uint8_t> pages);

 private:
  bool isMixed_ = false;
  std::optional<PageModel> mixed_;  // made when a level first needs its 180 MB
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context_;
  Bytes window_;
};

class DeltaDecoder {
 public:
  DeltaDecoder();
  // Returns a page for every step that is not a hint; throws FRAME_CORRUPT.
  Bytes decode(std::span<const std::uint8_t> payload, std::span<const CarryStep> steps,
               std::span<const std::uint8_t> references, bool isMixed);
  void reset();

 private:
  std::optional<PageModel> mixed_;  // made when a frame first needs its 180 MB
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context_;
  Bytes window_;
};

}  // namespace reprise::differ
