// The content index: which page of a snapshot holds a content, by truncated keyed fingerprint. A
// hit is a candidate: the caller compares the bytes. Byte table in docs/formats/residue.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fingerprint.h"
#include "image.h"

namespace reprise::differ {

struct IndexEntry {
  std::uint64_t fingerprint;
  std::uint64_t location;  // Location::packed
  friend auto operator<=>(const IndexEntry&, const IndexEntry&) = default;
};
static_assert(sizeof(IndexEntry) == 16);

// Entries of the pages [first, first + count) of one space that are not zero.
std::vector<IndexEntry> indexPages(const Image& image, Space space, std::uint64_t first,
                                   std::uint64_t count, const Fingerprinter& fingerprinter);

struct IndexSummary {
  std::uint64_t entries;  // kept: at most one a space for each distinct content
  std::uint64_t fileBytes;
};

// Sorts `entries` (in place), drops duplicates and writes the file under a temporary name first: a
// crash leaves no half index behind.
IndexSummary writeIndex(const std::string& path, std::span<IndexEntry> entries,
                        std::uint64_t ramPages, std::uint64_t diskPages,
                        const Fingerprinter& fingerprinter);

class ContentIndex {
 public:
  // Throws INDEX_CORRUPT (not an index, damaged) or INDEX_MISMATCH (another key, algorithm or
  // image).
  ContentIndex(const std::string& path, const Fingerprinter& fingerprinter, std::uint64_t ramPages,
               std::uint64_t diskPages);

  // Candidates for a content: at most one a space.
  std::span<const IndexEntry> find(std::uint64_t fingerprint) const;
  std::uint64_t size() const { return entries_.size(); }

 private:
  MappedFile file_;
  unsigned directoryBits_ = 0;
  std::span<const std::uint32_t> directory_;
  std::span<const IndexEntry> entries_;
};

}  // namespace reprise::differ
