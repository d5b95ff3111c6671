// Finds base pages that resemble pages the base does not hold, by the sketches in the content
// index: nothing of the base is read but the candidates.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "classify.h"
#include "content_index.h"

namespace reprise::differ {

inline constexpr std::size_t kHintsPerEntry = 2;

// For each of `pages` (Location::packed in the target) up to two base locations that it resembles,
// best first, kNowhere for none. Pages much like the base's at their own position get none.
std::vector<std::uint64_t> findSimilar(const StateImages& base, const StateImages& target,
                                       const SketchIndex& sketches,
                                       std::span<const std::uint64_t> pages);

}  // namespace reprise::differ
