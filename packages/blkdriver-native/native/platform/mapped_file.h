#pragma once

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <filesystem>
#include <utility>

#include "error.h"

namespace reprise::blk {

/// A shared mapping of a file's beginning. What is stored into it belongs to the
/// page cache at once, so it outlives a killed process without any system call.
class MappedFile {
 public:
  MappedFile() = default;
  MappedFile(int fd, std::size_t length, bool writable, const std::filesystem::path& path)
      : length_(length) {
    if (length == 0) return;
    const int protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    address_ = ::mmap(nullptr, length, protection, MAP_SHARED, fd, 0);
    if (address_ == MAP_FAILED) {
      address_ = nullptr;
      throw_os_error("map", path, errno);
    }
  }
  MappedFile(MappedFile&& other) noexcept
      : address_(std::exchange(other.address_, nullptr)),
        length_(std::exchange(other.length_, 0)) {}
  MappedFile& operator=(MappedFile&& other) noexcept {
    if (this != &other) {
      unmap();
      address_ = std::exchange(other.address_, nullptr);
      length_ = std::exchange(other.length_, 0);
    }
    return *this;
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile() { unmap(); }

  std::byte* data() const noexcept { return static_cast<std::byte*>(address_); }
  std::size_t size() const noexcept { return length_; }

 private:
  void unmap() noexcept {
    if (address_ != nullptr) ::munmap(address_, length_);
  }

  void* address_ = nullptr;
  std::size_t length_ = 0;
};

}  // namespace reprise::blk
