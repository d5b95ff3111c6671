#include "classify.h"

#include <algorithm>
#include <optional>

namespace reprise::differ {
namespace {

class Matcher {
 public:
  Matcher(const StateImages& base, const StateImages& target, const ContentIndex& index)
      : base_(base), target_(target), index_(index) {}

  // Where the base holds `content`, or kNowhere.
  std::uint64_t find(Location target, const std::uint8_t* content, std::uint64_t fingerprint) {
    std::uint64_t best = kNowhere;
    index_.find(fingerprint, [&](Location source) {
      if (!equals(source, content)) return true;
      const bool goesOn = successorMatches(target, source);
      if (best == kNowhere || goesOn) best = source.packed;
      return !goesOn;
    });
    return best;
  }

  bool equals(Location source, const std::uint8_t* content) {
    const Image& image = base_.of(source.space());
    if (source.page() >= image.pageCount()) return false;
    return pagesEqual(image.page(source.page(), MutablePage(scratch_)), content);
  }

 private:
  bool successorMatches(Location target, Location source) {
    const Image& image = target_.of(target.space());
    if (target.page() + 1 >= image.pageCount()) return false;
    return equals(Location::of(source.space(), source.page() + 1),
                  image.page(target.page() + 1, MutablePage(successor_)));
  }

  const StateImages& base_;
  const StateImages& target_;
  const ContentIndex& index_;
  alignas(64) std::uint8_t scratch_[kPageSize];
  alignas(64) std::uint8_t successor_[kPageSize];
};

}  // namespace

Classified classifyPages(const StateImages& base, const StateImages& target,
                         const ContentIndex& index, const Fingerprinter& fingerprinter,
                         std::span<const std::uint64_t> pages) {
  Matcher matcher(base, target, index);
  alignas(64) std::uint8_t scratch[kPageSize];
  Classified out;
  target.prefetch(pages);
  base.prefetch(pages);
  out.classes.reserve(pages.size());
  out.sources.reserve(pages.size());
  out.fingerprints.reserve(pages.size());
  const auto add = [&](PageClass kind, std::uint64_t source, std::uint64_t fingerprint) {
    out.classes.push_back(static_cast<std::uint8_t>(kind));
    out.sources.push_back(source);
    out.fingerprints.push_back(fingerprint);
  };
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const Location at{pages[i]};
    const std::uint8_t* page = target.of(at.space()).page(at.page(), MutablePage(scratch));
    if (matcher.equals(at, page)) {
      add(PageClass::same, kNowhere, 0);
      continue;
    }
    if (isZeroPage(page)) {
      add(PageClass::zero, kNowhere, 0);
      continue;
    }
    // Both packed locations grow by one page (two, the space bit standing below) along a run.
    const bool mayGoOn = i > 0 && pages[i - 1] + 2 == pages[i] && out.sources[i - 1] != kNowhere;
    if (mayGoOn && matcher.equals(Location{out.sources[i - 1] + 2}, page)) {
      add(PageClass::base, out.sources[i - 1] + 2, 0);
      continue;
    }
    const std::uint64_t fingerprint = fingerprinter.of({page, kPageSize}).low;
    const std::uint64_t source = matcher.find(at, page, fingerprint);
    if (source != kNowhere) {
      add(PageClass::base, source, 0);
    } else {
      add(PageClass::unknown, kNowhere, fingerprint);
    }
  }
  return out;
}

void resolveTwins(const StateImages& target, std::span<const std::uint64_t> pages,
                  std::span<std::uint8_t> classes, std::span<std::uint64_t> sources,
                  std::span<const std::uint64_t> fingerprints) {
  std::vector<std::uint32_t> unknown;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (classes[i] == static_cast<std::uint8_t>(PageClass::unknown)) {
      unknown.push_back(static_cast<std::uint32_t>(i));
    }
  }
  std::sort(unknown.begin(), unknown.end(), [&](std::uint32_t a, std::uint32_t b) {
    return fingerprints[a] != fingerprints[b] ? fingerprints[a] < fingerprints[b] : a < b;
  });
  alignas(64) std::uint8_t scratchA[kPageSize];
  alignas(64) std::uint8_t scratchB[kPageSize];
  const auto contentOf = [&](std::uint32_t entry, std::uint8_t* scratch) {
    const Location at{pages[entry]};
    return target.of(at.space())
        .page(at.page(), std::span<std::uint8_t, kPageSize>(scratch, kPageSize));
  };
  std::size_t first = 0;
  for (std::size_t i = 1; i < unknown.size(); ++i) {
    if (fingerprints[unknown[i]] != fingerprints[unknown[first]]) {
      first = i;
      continue;
    }
    if (!pagesEqual(contentOf(unknown[first], scratchA), contentOf(unknown[i], scratchB))) continue;
    classes[unknown[i]] = static_cast<std::uint8_t>(PageClass::twin);
    sources[unknown[i]] = unknown[first];
  }
}

}  // namespace reprise::differ
