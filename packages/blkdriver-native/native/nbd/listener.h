#pragma once

#include <sys/types.h>

#include <filesystem>

#include "platform/unique_fd.h"

namespace reprise::blk::nbd {

/// A listening unix socket. It appears under its path with its permissions
/// already set, takes the place of one that a killed server left behind, and is
/// removed on destruction unless somebody else's stands there by then.
class UnixListener {
 public:
  /// Throws Error(kSocketBusy) where a live server listens, Error(kSocketFailed).
  UnixListener(std::filesystem::path path, mode_t mode);
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  ~UnixListener();

  int fd() const noexcept { return fd_.get(); }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
  UniqueFd fd_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace reprise::blk::nbd
