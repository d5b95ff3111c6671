// The content index of a snapshot: which of its pages holds a content, by truncated keyed
// fingerprint, and which resemble one, by the features of their sketches. It stands in segments of
// two tables each: a few large ones from the first indexing, then one a snapshot with only what
// changed. A hit is a candidate, also because a later segment does not take back what an earlier
// one says: the caller compares the bytes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fingerprint.h"
#include "image.h"
#include "sorted_table.h"

namespace reprise::differ {

// Entries of the pages [first, first + count) of one space that are not zero.
std::vector<IndexEntry> indexPages(const Image& image, Space space, std::uint64_t first,
                                   std::uint64_t count, const Fingerprinter& fingerprinter);

// The features of those pages' sketches.
std::vector<FeatureEntry> sketchPages(const Image& image, Space space, std::uint64_t first,
                                      std::uint64_t count);

// The same of listed pages of a state (Location::packed): what changed since another snapshot.
struct ListedEntries {
  std::vector<IndexEntry> pages;
  std::vector<FeatureEntry> features;
};
ListedEntries indexListed(const StateImages& state, std::span<const std::uint64_t> pages,
                          const Fingerprinter& fingerprinter);

// The tables of several segments as one, oldest first: of entries for one location only the newest
// segment's are kept.
template <typename Entry>
TableSummary mergeTables(std::span<const std::string> from, const std::string& to,
                         const TableIdentity& identity);

// The same table of all segments of an index.
template <typename Entry>
class SegmentedTable {
 public:
  SegmentedTable(std::span<const std::string> paths, const TableIdentity& identity);

  // Calls visit(location) for every candidate, newest segment first, until it returns false.
  template <typename Visit>
  void find(std::uint64_t key, Visit visit) const {
    for (auto segment = segments_.rbegin(); segment != segments_.rend(); ++segment) {
      for (const Entry& entry : segment->find(key)) {
        if (!visit(Location{entry.location})) return;
      }
    }
  }

 private:
  std::vector<SortedTable<Entry>> segments_;
};

using ContentIndex = SegmentedTable<IndexEntry>;
using SketchIndex = SegmentedTable<FeatureEntry>;

}  // namespace reprise::differ
