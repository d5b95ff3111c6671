#include "log/log_files.h"

#include <algorithm>
#include <cstdio>
#include <optional>
#include <string>

namespace reprise::blk {
namespace {

struct Name {
  std::uint64_t ordinal;
  bool compacted;
};

std::optional<Name> parse_name(const std::string& name) {
  unsigned ordinal = 0;
  char kind[4] = {};
  int end = 0;
  if (std::sscanf(name.c_str(), "log-%8x.%3s%n", &ordinal, kind, &end) != 2 ||
      static_cast<std::size_t>(end) != name.size()) {
    return std::nullopt;
  }
  const std::string_view suffix(kind);
  if (suffix != "seg" && suffix != "cmp") return std::nullopt;
  return Name{ordinal, suffix == "cmp"};
}

}  // namespace

std::filesystem::path segment_path(const std::filesystem::path& dir, std::uint64_t ordinal,
                                   bool compacted) {
  char name[32];
  std::snprintf(name, sizeof name, "log-%08x.%s", static_cast<unsigned>(ordinal),
                compacted ? "cmp" : "seg");
  return dir / name;
}

std::filesystem::path unfinished_compaction_path(const std::filesystem::path& dir) {
  return dir / "log-compaction.tmp";
}

std::vector<SegmentView> open_segments(const std::filesystem::path& dir, LogAccess access) {
  const bool writable = access != LogAccess::kReadOnly;
  std::vector<Name> names;
  for (const auto& entry : std::filesystem::directory_iterator(dir)) {
    if (auto name = parse_name(entry.path().filename().string())) names.push_back(*name);
  }
  if (writable) {
    std::error_code ignored;  // it may well not exist
    std::filesystem::remove(unfinished_compaction_path(dir), ignored);
  }
  std::sort(names.begin(), names.end(), [](const Name& a, const Name& b) {
    return a.ordinal != b.ordinal ? a.ordinal < b.ordinal : a.compacted < b.compacted;
  });
  // The newest compaction stands for everything before it and at its ordinal.
  const auto newest =
      std::find_if(names.rbegin(), names.rend(), [](const Name& name) { return name.compacted; });
  const auto live = newest == names.rend() ? names.begin() : std::prev(newest.base());
  if (writable) {
    for (auto stale = names.begin(); stale != live; ++stale) {
      std::filesystem::remove(segment_path(dir, stale->ordinal, stale->compacted));
    }
  }

  std::vector<SegmentView> views;
  bool ended = false;
  for (auto name = live; name != names.end(); ++name) {
    const auto path = segment_path(dir, name->ordinal, name->compacted);
    auto segment = ended ? nullptr : Segment::open(path, writable && !name->compacted);
    const bool follows = views.empty() || name->ordinal == views.back().ordinal + 1;
    if (segment && follows) {
      views.push_back({segment, segment->capacity(), name->ordinal, name->compacted});
      continue;
    }
    ended = true;
    if (access != LogAccess::kAfterPowerLoss && std::next(name) != names.end()) {
      throw Error(ErrorCode::kLogCorrupt,
                  "The dirty log file " + path.string() +
                      " is damaged or one before it is missing. Restore the overlay from a "
                      "snapshot.",
                  path);
    }
    if (writable) std::filesystem::remove(path);  // reserved ahead and never used
  }
  if (!views.empty()) views.back().records = views.back().segment->count_valid();
  return views;
}

}  // namespace reprise::blk
