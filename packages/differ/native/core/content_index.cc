#include "content_index.h"

#include <algorithm>
#include <utility>

#include "compare.h"
#include "sketch.h"

namespace reprise::differ {

namespace {

void appendFeatures(std::vector<FeatureEntry>& features, Location at, const std::uint8_t* page) {
  if (at.page() >= kMaxSketchedPage) return;
  for (const std::uint32_t feature : sketchOf(page)) {
    if (feature != kNoFeature) {
      features.push_back({feature, static_cast<std::uint32_t>(at.packed)});
    }
  }
}

}  // namespace

std::vector<IndexEntry> indexPages(const Image& image, Space space, std::uint64_t first,
                                   std::uint64_t count, const Fingerprinter& fingerprinter) {
  std::vector<IndexEntry> entries;
  entries.reserve(std::min(count, image.pageCount()));
  visitHeldPages(image, first, count, [&](std::uint64_t number, const std::uint8_t* page) {
    if (isZeroPage(page)) return;
    entries.push_back(
        {fingerprinter.of({page, kPageSize}).low, Location::of(space, number).packed});
  });
  return entries;
}

std::vector<FeatureEntry> sketchPages(const Image& image, Space space, std::uint64_t first,
                                      std::uint64_t count) {
  std::vector<FeatureEntry> features;
  visitHeldPages(image, first, count, [&](std::uint64_t number, const std::uint8_t* page) {
    if (!isZeroPage(page)) appendFeatures(features, Location::of(space, number), page);
  });
  return features;
}

ListedEntries indexListed(const StateImages& state, std::span<const std::uint64_t> pages,
                          const Fingerprinter& fingerprinter) {
  alignas(64) std::uint8_t scratch[kPageSize];
  ListedEntries out;
  state.prefetch(pages);
  for (const std::uint64_t packed : pages) {
    const Location at{packed};
    const std::uint8_t* page = state.of(at.space()).page(at.page(), MutablePage(scratch));
    if (isZeroPage(page)) continue;
    out.pages.push_back({fingerprinter.of({page, kPageSize}).low, packed});
    appendFeatures(out.features, at, page);
  }
  return out;
}

template <typename Entry>
TableSummary mergeTables(std::span<const std::string> from, const std::string& to,
                         const TableIdentity& identity) {
  std::vector<Entry> merged;
  // A bit a location: what a damaged entry says beyond it is dropped.
  std::vector<bool> newer(2 * std::max(identity.ramPages, identity.diskPages));
  for (auto path = from.rbegin(); path != from.rend(); ++path) {
    const SortedTable<Entry> table(*path, identity, Access::scan);
    for (const Entry& entry : table.entries()) {
      if (entry.location < newer.size() && !newer[entry.location]) merged.push_back(entry);
    }
    for (const Entry& entry : table.entries()) {
      if (entry.location < newer.size()) newer[entry.location] = true;
    }
  }
  return writeTable(to, std::move(merged), identity);
}

template <typename Entry>
SegmentedTable<Entry>::SegmentedTable(std::span<const std::string> paths,
                                      const TableIdentity& identity) {
  segments_.reserve(paths.size());
  for (const std::string& path : paths) segments_.emplace_back(path, identity);
}

template TableSummary mergeTables<IndexEntry>(std::span<const std::string>, const std::string&,
                                              const TableIdentity&);
template TableSummary mergeTables<FeatureEntry>(std::span<const std::string>, const std::string&,
                                                const TableIdentity&);
template class SegmentedTable<IndexEntry>;
template class SegmentedTable<FeatureEntry>;

}  // namespace reprise::differ
