// The tables of the index that a thread used last stay open: a plan looks them up batch by batch,
// and opening reads every directory.
#pragma once

#include <sys/stat.h>

#include <cerrno>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "../core/content_index.h"
#include "../core/fault.h"

namespace reprise::differ::binding {

template <typename Entry>
class OpenIndex {
 public:
  // The tables at `paths`, opened again where a file is not the one it was.
  const SegmentedTable<Entry>& open(const std::vector<std::string>& paths,
                                    const TableIdentity& identity) {
    Key key{identity.algorithm, identity.keyCheck, identity.ramPages, identity.diskPages, {}};
    for (const std::string& path : paths) std::get<4>(key).push_back(fileAt(path));
    if (!tables_.has_value() || key != key_) {
      tables_.reset();
      tables_.emplace(paths, identity);
      key_ = std::move(key);
    }
    return *tables_;
  }

 private:
  using File = std::tuple<dev_t, ino_t, off_t, time_t, long>;
  using Key =
      std::tuple<std::uint8_t, std::uint64_t, std::uint64_t, std::uint64_t, std::vector<File>>;

  static File fileAt(const std::string& path) {
    struct stat facts {};
    if (stat(path.c_str(), &facts) != 0) {
      throw systemFault("FILE_UNREADABLE", "Cannot open " + path, errno);
    }
    return {facts.st_dev, facts.st_ino, facts.st_size, facts.st_ctim.tv_sec, facts.st_ctim.tv_nsec};
  }

  Key key_;
  std::optional<SegmentedTable<Entry>> tables_;
};

// Of one environment, so of one thread.
struct OpenIndexes {
  OpenIndex<IndexEntry> pages;
  OpenIndex<FeatureEntry> features;
};

}  // namespace reprise::differ::binding
