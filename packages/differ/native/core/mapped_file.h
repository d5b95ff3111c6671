// A file mapped for reading. The files are immutable while mapped (a snapshot's); whoever truncates
// one under us breaks the store's contract, not this class.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace reprise::differ {

// In which order a mapping is read. Storage reads ahead of a scan; of pages from a list or a table
// it would read mostly what nobody asks for.
enum class Access { scan, scattered };

class MappedFile {
 public:
  explicit MappedFile(const std::string& path, Access access = Access::scan);
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&&) = delete;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::span<const std::uint8_t> bytes() const { return {data_, size_}; }

  // Storage begins to read a range, whatever the access; a hint, never an error.
  void prefetch(std::uint64_t offset, std::uint64_t length) const;
  // Maps the pages of a range in one call instead of one fault each; a hint, never an error.
  void populate(std::uint64_t offset, std::uint64_t length) const;
  // Gives the range's pages back, so that a scan's memory does not grow with the file.
  void release(std::uint64_t offset, std::uint64_t length) const;

 private:
  void advise(std::uint64_t offset, std::uint64_t length, int advice) const;

  const std::uint8_t* data_ = nullptr;
  std::size_t size_ = 0;
};

// A file descriptor with one owner.
class FileDescriptor {
 public:
  FileDescriptor(const std::string& path, int flags, int mode = 0600);
  ~FileDescriptor();
  FileDescriptor(FileDescriptor&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  FileDescriptor& operator=(FileDescriptor&&) = delete;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;

  int get() const { return fd_; }
  std::uint64_t sizeBytes() const;
  void readAt(std::span<std::uint8_t> out, std::uint64_t offset) const;
  void writeAt(std::span<const std::uint8_t> data, std::uint64_t offset) const;
  void sync() const;

 private:
  int fd_;
};

}  // namespace reprise::differ
