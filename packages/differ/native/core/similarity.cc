#include "similarity.h"

#include <algorithm>
#include <array>
#include <map>

#include "sketch.h"

namespace reprise::differ {
namespace {

constexpr std::size_t kWords = kPageSize / 8;
constexpr std::size_t kMuchAlike = 400;  // of 512 words: a better reference would hardly help
// A feature that so many base pages share says little, and would cost much.
constexpr std::size_t kMaxSharers = 64;

std::size_t equalWords(const std::uint8_t* a, const std::uint8_t* b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kWords; ++i) equal += std::memcmp(a + 8 * i, b + 8 * i, 8) == 0;
  return equal;
}

struct Candidate {
  std::uint64_t location;
  unsigned votes;
};

// Base pages that share features with `page`, most votes first; ties go to the lower location.
std::vector<Candidate> candidatesFor(const std::uint8_t* page, const SketchIndex& sketches) {
  std::vector<std::uint64_t> voters;
  for (const std::uint32_t feature : sketchOf(page)) {
    if (feature == kNoFeature) continue;
    const std::size_t before = voters.size();
    sketches.find(std::uint64_t{feature} << 32, [&](Location at) {
      voters.push_back(at.packed);
      return voters.size() - before < kMaxSharers;
    });
  }
  std::sort(voters.begin(), voters.end());
  std::vector<Candidate> found;
  for (std::size_t i = 0, next; i < voters.size(); i = next) {
    for (next = i; next < voters.size() && voters[next] == voters[i];) ++next;
    found.push_back({voters[i], static_cast<unsigned>(next - i)});
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Candidate& a, const Candidate& b) { return a.votes > b.votes; });
  return found;
}

}  // namespace

std::vector<std::uint64_t> findSimilar(const StateImages& base, const StateImages& target,
                                       const SketchIndex& sketches,
                                       std::span<const std::uint64_t> pages) {
  alignas(64) std::uint8_t scratchA[kPageSize];
  alignas(64) std::uint8_t scratchB[kPageSize];
  std::vector<std::uint64_t> hints(pages.size() * kHintsPerEntry, kNowhere);
  for (std::size_t entry = 0; entry < pages.size(); ++entry) {
    const Location at{pages[entry]};
    const std::uint8_t* page = target.of(at.space()).page(at.page(), MutablePage(scratchA));
    const std::uint8_t* before = base.of(at.space()).page(at.page(), MutablePage(scratchB));
    if (!isZeroPage(before) && equalWords(page, before) >= kMuchAlike) continue;
    std::size_t kept = 0;
    for (const Candidate& candidate : candidatesFor(page, sketches)) {
      if (kept == kHintsPerEntry) break;
      const Location source{candidate.location};
      if (source == at || source.page() >= base.of(source.space()).pageCount()) continue;
      hints[entry * kHintsPerEntry + kept++] = candidate.location;
    }
  }
  return hints;
}

}  // namespace reprise::differ
