// What explains a changed page, seen from the base alone. Every claim is verified byte by byte.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "content_index.h"
#include "fingerprint.h"
#include "image.h"

namespace reprise::differ {

enum class PageClass : std::uint8_t {
  same = 0,  // equals the base at its own position: nothing to say
  zero = 1,
  base = 2,     // stands in the base, at `source`
  twin = 3,     // equals another changed page, which is entry number `source`
  unknown = 4,  // the base does not explain it: asked about, else sent as a delta
};

// One changed page; structure of arrays, because the arrays cross into TypeScript.
struct Classified {
  std::vector<std::uint8_t> classes;
  std::vector<std::uint64_t> sources;       // Location::packed of a base match, else kNowhere
  std::vector<std::uint64_t> fingerprints;  // of pages the base does not explain, else 0
};

// `pages` are Location::packed, each space ascending. Prefers matches that go on where the page
// before matched: a moved region is one run.
Classified classifyPages(const StateImages& base, const StateImages& target,
                         const ContentIndex& index, const Fingerprinter& fingerprinter,
                         std::span<const std::uint64_t> pages);

// Finds changed pages equal to an earlier one of the list and makes them twins.
void resolveTwins(const StateImages& target, std::span<const std::uint64_t> pages,
                  std::span<std::uint8_t> classes, std::span<std::uint64_t> sources,
                  std::span<const std::uint64_t> fingerprints);

}  // namespace reprise::differ
