// A file of fixed-size entries sorted by key, with a directory over the key's top bits, read
// through a mapping. A cache: it is not flushed, and a damaged one is noticed or harmless (callers
// verify what they find). Byte table in docs/formats/residue.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "fingerprint.h"
#include "mapped_file.h"

namespace reprise::differ {

// A page by its fingerprint.
struct IndexEntry {
  std::uint64_t fingerprint;
  std::uint64_t location;  // Location::packed
  std::uint64_t key() const { return fingerprint; }
  friend auto operator<=>(const IndexEntry&, const IndexEntry&) = default;
};
static_assert(sizeof(IndexEntry) == 16);

// A page by one of the features of its sketch.
struct FeatureEntry {
  std::uint32_t feature;
  std::uint32_t location;  // Location::packed, of pages below 2^31
  std::uint64_t key() const { return std::uint64_t{feature} << 32; }
  friend auto operator<=>(const FeatureEntry&, const FeatureEntry&) = default;
};
static_assert(sizeof(FeatureEntry) == 8);

// What a table was made from; a reader refuses any other.
struct TableIdentity {
  std::uint8_t algorithm = 0;
  std::uint64_t keyCheck = 0;
  std::uint64_t ramPages = 0;
  std::uint64_t diskPages = 0;
  static TableIdentity of(const Fingerprinter& fingerprinter, std::uint64_t ramPages,
                          std::uint64_t diskPages) {
    return {static_cast<std::uint8_t>(fingerprinter.algorithm()), fingerprinter.keyCheck(),
            ramPages, diskPages};
  }
};

struct TableSummary {
  std::uint64_t entries;
  std::uint64_t fileBytes;
};

// Sorts the entries of all parts, which come out in another order, and writes them at `path`, under
// a temporary name first. Throws INDEX_TOO_LARGE, FILE_UNWRITABLE.
template <typename Entry>
TableSummary writeTable(const std::string& path, std::span<const std::span<Entry>> parts,
                        const TableIdentity& identity);

template <typename Entry>
TableSummary writeTable(const std::string& path, std::vector<Entry> entries,
                        const TableIdentity& identity) {
  const std::span<Entry> all = entries;
  return writeTable<Entry>(path, std::span(&all, 1), identity);
}

template <typename Entry>
class SortedTable {
 public:
  // Throws INDEX_CORRUPT (not a table, damaged) or INDEX_MISMATCH (made from something else).
  SortedTable(const std::string& path, const TableIdentity& identity,
              Access access = Access::scattered);

  // All entries with this key.
  std::span<const Entry> find(std::uint64_t key) const;
  std::span<const Entry> entries() const { return entries_; }

 private:
  MappedFile file_;
  unsigned directoryBits_ = 0;
  std::span<const std::uint32_t> directory_;
  std::span<const Entry> entries_;
};

}  // namespace reprise::differ
