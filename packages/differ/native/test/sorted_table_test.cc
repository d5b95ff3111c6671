#include "core/sorted_table.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>

#include "core/fault.h"
#include "scratch_state.h"

using namespace reprise::differ;

TEST_CASE("a table finds what a plain map finds, keys that many share cut to the lowest") {
  const test::ScratchDirectory scratch;
  test::Random random(5);
  const TableIdentity identity{1, 2, 1000, 1000};
  for (const std::size_t count : {0, 1, 7, 5000, 40000}) {
    std::vector<IndexEntry> entries;
    std::map<std::uint64_t, std::vector<std::uint64_t>> expected;
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint64_t key = random() % 5 == 0 ? 77 : random() << (random() % 60);
      entries.push_back({key, i});
      expected[key].push_back(i);
    }
    writeTable(scratch.file("table"), entries, identity);
    const SortedTable<IndexEntry> table(scratch.file("table"), identity);
    for (const auto& [key, locations] : expected) {
      std::vector<std::uint64_t> kept, found;
      for (const std::uint64_t space : {0, 1}) {
        std::size_t of = 0;
        for (const std::uint64_t at : locations) {
          if ((at & 1) == space && of++ < 2) kept.push_back(at);
        }
      }
      for (const IndexEntry& entry : table.find(key)) found.push_back(entry.location);
      std::sort(kept.begin(), kept.end());
      REQUIRE(found == kept);
    }
    CHECK(table.find(0x1234'5678'9abc'def1).empty());
  }
}

TEST_CASE("a damaged table is noticed, or answers within its file") {
  const test::ScratchDirectory scratch;
  test::Random random(6);
  const TableIdentity identity{1, 2, 1000, 1000};
  std::vector<IndexEntry> entries;
  for (std::uint64_t i = 0; i < 300; ++i) entries.push_back({random(), i});
  for (int round = 0; round < 300; ++round) {
    const std::string path = scratch.file("table");
    const auto summary = writeTable(path, entries, identity);
    {
      const FileDescriptor file(path, O_RDWR);
      const std::uint8_t damage = static_cast<std::uint8_t>(random());
      file.writeAt({&damage, 1}, random() % summary.fileBytes);
    }
    try {
      const SortedTable<IndexEntry> table(path, identity);
      for (const IndexEntry& entry : entries) table.find(entry.fingerprint);
    } catch (const Fault& fault) {
      CHECK(fault.code().starts_with("INDEX_"));
    }
  }
}
