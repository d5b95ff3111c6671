// Which pages differ between two images, and which are not zero in one.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "image.h"

namespace reprise::differ {

// Runs of pages, [first, count, …], ascending and disjoint.
using PageRuns = std::vector<std::uint64_t>;

void appendToRuns(PageRuns& runs, std::uint64_t page);

// Pages of [first, first + count) that differ. The shorter image reads as if padded with zeros.
PageRuns comparePages(const Image& a, const Image& b, std::uint64_t first, std::uint64_t count);

// The same of listed runs of pages only: where something may have changed.
PageRuns compareRuns(const Image& a, const Image& b, std::span<const std::uint64_t> runs);

// Calls visit(page number, bytes) for every page of the range that an extent touches. Memory stays
// bounded: mappings are populated and given back a window at a time.
template <typename Visit>
void visitHeldPages(const Image& image, std::uint64_t first, std::uint64_t count, Visit visit) {
  constexpr std::uint64_t kWindow = 1024;
  alignas(64) std::uint8_t scratch[kPageSize];
  const std::uint64_t end = std::min(first + count, image.pageCount());
  std::uint64_t at = first < end ? image.nextHeld(first) : end;
  while (at < end) {
    const std::uint64_t stop = std::min({image.heldEnd(at), at + kWindow, end});
    image.populate(at, stop - at);
    for (std::uint64_t page = at; page < stop; ++page) {
      visit(page, image.page(page, MutablePage(scratch)));
    }
    image.release(at, stop - at);
    at = stop < end ? image.nextHeld(stop) : end;
  }
}

}  // namespace reprise::differ
