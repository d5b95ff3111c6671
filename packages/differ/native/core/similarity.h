// Finds base pages that resemble pages the base does not hold, by sketches: of the windows of a
// page, the smallest hash in each of eight classes. Pages that share content share some of these,
// wherever in the page it stands.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "classify.h"
#include "image.h"

namespace reprise::differ {

inline constexpr std::size_t kSketchSize = 8;
using Sketch = std::array<std::uint64_t, kSketchSize>;  // kNowhere where a class is empty

Sketch sketchOf(const std::uint8_t* page);

// A page that resembles entry number `entry`; `votes` of its eight features are the same.
struct Resemblance {
  std::uint64_t entry;
  std::uint64_t location;  // Location::packed, in the base
  std::uint64_t votes;
};

class SimilaritySearch {
 public:
  // `pages` (Location::packed in the target) that are not already much like the base's page at
  // their own position are searched for.
  SimilaritySearch(const StateImages& base, const StateImages& target,
                   std::span<const std::uint64_t> pages);

  // The best resemblances among base pages [first, first + count) of one space, a few an entry.
  std::vector<Resemblance> scan(const Image& image, Space space, std::uint64_t first,
                                std::uint64_t count) const;

 private:
  struct Feature {
    std::uint64_t hash;
    std::uint32_t entry;
  };
  std::vector<Feature> features_;      // sorted by hash
  std::vector<std::uint64_t> filter_;  // bit set: most features of the base are in no query
  std::vector<std::uint64_t> own_;     // by entry: its own position, no news
};

}  // namespace reprise::differ
