#pragma once

#include <string>
#include <vector>

namespace reprise::blk::testing {

/// Notes which files this process has made durable, in order, while it exists.
class SyncedFiles {
 public:
  SyncedFiles();
  SyncedFiles(const SyncedFiles&) = delete;
  SyncedFiles& operator=(const SyncedFiles&) = delete;
  ~SyncedFiles();

  /// Names without directories, since the last call.
  std::vector<std::string> take();
};

}  // namespace reprise::blk::testing
