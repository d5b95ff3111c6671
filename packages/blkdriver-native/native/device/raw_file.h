#pragma once

#include <filesystem>

#include "platform/file.h"

namespace reprise::blk {

/// The raw image at the bottom of a chain: read, never written.
class RawFile {
 public:
  /// Throws Error(kBaseUnreadable).
  static RawFile open(const std::filesystem::path& path);

  std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  int fd() const noexcept { return fd_.get(); }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  RawFile(std::filesystem::path path, UniqueFd fd, std::uint64_t size) noexcept
      : path_(std::move(path)), fd_(std::move(fd)), size_bytes_(size) {}

  std::filesystem::path path_;
  UniqueFd fd_;
  std::uint64_t size_bytes_;
};

}  // namespace reprise::blk
