// Sketches: of the windows of a page, the smallest hash in each of eight classes. Pages that share
// content share some of these, wherever in the page it stands (on a grid of 16 B).
#pragma once

#include <array>
#include <cstdint>

namespace reprise::differ {

inline constexpr std::size_t kSketchSize = 8;
inline constexpr std::uint32_t kNoFeature = 0;  // a class without a window
// A feature's location has 32 bits: pages beyond 8 TiB are not looked for.
inline constexpr std::uint64_t kMaxSketchedPage = std::uint64_t{1} << 31;

using Sketch = std::array<std::uint32_t, kSketchSize>;

Sketch sketchOf(const std::uint8_t* page);

}  // namespace reprise::differ
