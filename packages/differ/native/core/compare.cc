#include "compare.h"

#include <algorithm>

namespace reprise::differ {

void appendToRuns(PageRuns& runs, std::uint64_t page) {
  const std::size_t n = runs.size();
  if (n > 0 && runs[n - 2] + runs[n - 1] == page) {
    ++runs[n - 1];
  } else {
    runs.push_back(page);
    runs.push_back(1);
  }
}

PageRuns comparePages(const Image& a, const Image& b, std::uint64_t first, std::uint64_t count) {
  constexpr std::uint64_t kWindow = 1024;  // 4 MiB of each: bounded memory, few madvise calls
  alignas(64) std::uint8_t scratchA[kPageSize];
  alignas(64) std::uint8_t scratchB[kPageSize];
  PageRuns runs;
  const std::uint64_t end = std::min(first + count, std::max(a.pageCount(), b.pageCount()));
  const auto nextHeld = [&](std::uint64_t page) {
    const std::uint64_t inA = page < a.pageCount() ? a.nextHeld(page) : end;
    const std::uint64_t inB = page < b.pageCount() ? b.nextHeld(page) : end;
    return std::min({inA, inB, end});
  };
  std::uint64_t at = nextHeld(first);
  while (at < end) {
    const std::uint64_t stop = std::min(at + kWindow, end);
    a.populate(at, stop - at);
    b.populate(at, stop - at);
    for (std::uint64_t page = at; page < stop; ++page) {
      const std::uint8_t* left = a.page(page, MutablePage(scratchA));
      const std::uint8_t* right = b.page(page, MutablePage(scratchB));
      if (left != right && !pagesEqual(left, right)) appendToRuns(runs, page);
    }
    a.release(at, stop - at);
    b.release(at, stop - at);
    at = nextHeld(stop);
  }
  return runs;
}

PageRuns compareRuns(const Image& a, const Image& b, std::span<const std::uint64_t> runs) {
  PageRuns out;
  for (std::size_t i = 0; i + 1 < runs.size(); i += 2) {
    const PageRuns found = comparePages(a, b, runs[i], runs[i + 1]);
    for (std::size_t j = 0; j + 1 < found.size(); j += 2) {
      if (!out.empty() && out[out.size() - 2] + out.back() == found[j]) {
        out.back() += found[j + 1];
      } else {
        out.insert(out.end(), {found[j], found[j + 1]});
      }
    }
  }
  return out;
}

}  // namespace reprise::differ
