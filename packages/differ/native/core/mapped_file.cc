#include "mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "fault.h"
#include "page.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#endif

namespace reprise::differ {

MappedFile::MappedFile(const std::string& path, Access access) {
  const FileDescriptor file(path, O_RDONLY);
  size_ = file.sizeBytes();
  if (size_ == 0) return;
  void* mapped = mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapped == MAP_FAILED) throw systemFault("FILE_UNREADABLE", "Cannot map " + path, errno);
  data_ = static_cast<const std::uint8_t*>(mapped);
  if (access == Access::scattered) madvise(mapped, size_, MADV_RANDOM);
}

MappedFile::MappedFile(MappedFile&& other) noexcept : data_(other.data_), size_(other.size_) {
  other.data_ = nullptr;
  other.size_ = 0;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) munmap(const_cast<std::uint8_t*>(data_), size_);
}

void MappedFile::advise(std::uint64_t offset, std::uint64_t length, int advice) const {
  if (data_ == nullptr || offset >= size_) return;
  const std::uint64_t first = offset / kPageSize * kPageSize;
  const std::uint64_t end = std::min<std::uint64_t>(offset + length, size_);
  madvise(const_cast<std::uint8_t*>(data_) + first, end - first, advice);
}

void MappedFile::prefetch(std::uint64_t offset, std::uint64_t length) const {
  advise(offset, length, MADV_WILLNEED);
}

void MappedFile::populate(std::uint64_t offset, std::uint64_t length) const {
  advise(offset, length, MADV_POPULATE_READ);
}

void MappedFile::release(std::uint64_t offset, std::uint64_t length) const {
  advise(offset, length, MADV_DONTNEED);
}

FileDescriptor::FileDescriptor(const std::string& path, int flags, int mode)
    : fd_(open(path.c_str(), flags | O_CLOEXEC, mode)) {
  if (fd_ < 0) throw systemFault("FILE_UNREADABLE", "Cannot open " + path, errno);
}

FileDescriptor::~FileDescriptor() {
  if (fd_ >= 0) close(fd_);
}

std::uint64_t FileDescriptor::sizeBytes() const {
  struct stat status {};
  if (fstat(fd_, &status) != 0) throw systemFault("FILE_UNREADABLE", "Cannot stat a file", errno);
  return static_cast<std::uint64_t>(status.st_size);
}

void FileDescriptor::readAt(std::span<std::uint8_t> out, std::uint64_t offset) const {
  while (!out.empty()) {
    const ssize_t got = pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw systemFault("FILE_UNREADABLE", "Cannot read", errno);
    if (got == 0) {  // past the end of a sparse output: it reads as zeros
      std::fill(out.begin(), out.end(), std::uint8_t{0});
      return;
    }
    out = out.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
}

void FileDescriptor::writeAt(std::span<const std::uint8_t> data, std::uint64_t offset) const {
  while (!data.empty()) {
    const ssize_t put = pwrite(fd_, data.data(), data.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) throw systemFault("FILE_UNWRITABLE", "Cannot write", errno);
    data = data.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
}

void FileDescriptor::sync() const {
  if (fdatasync(fd_) != 0) throw systemFault("FILE_UNWRITABLE", "Cannot flush", errno);
}

}  // namespace reprise::differ
