#include "platform/file.h"

#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "error.h"

namespace reprise::blk {
namespace {

constexpr auto kTryAgain = std::errc::resource_unavailable_try_again;

ssize_t read_without_sleeping(int fd, std::span<std::byte> out, std::uint64_t offset) noexcept {
  iovec vector{out.data(), out.size()};
  return ::preadv2(fd, &vector, 1, static_cast<off_t>(offset), RWF_NOWAIT);
}

/// A file system that has nothing but memory.
bool is_in_memory(int fd) noexcept {
  struct statfs status {};
  return ::fstatfs(fd, &status) == 0 &&
         (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC);
}

}  // namespace

UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode) {
  int fd;
  do {
    fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  } while (fd < 0 && errno == EINTR);
  if (fd < 0) throw_os_error("open", path, errno);
  return UniqueFd(fd);
}

std::error_code read_at(int fd, std::span<std::byte> out, std::uint64_t offset,
                        Wait wait) noexcept {
  if (wait == Wait::kNever) {
    const ssize_t n = read_without_sleeping(fd, out, offset);
    if (n == static_cast<ssize_t>(out.size())) return {};
    // A short count may be the end of the file or a cold page.
    if (n >= 0 || errno == EAGAIN || errno == EINTR) return os_error_code(kTryAgain);
    if (errno != EOPNOTSUPP) return last_os_error();
    // A file system that cannot say may have to ask a server (NFS) or a program (FUSE).
    if (!is_in_memory(fd)) return os_error_code(kTryAgain);
  }
  while (!out.empty()) {
    const ssize_t n = ::pread(fd, out.data(), out.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return last_os_error();
    }
    if (n == 0) {
      std::memset(out.data(), 0, out.size());
      return {};
    }
    out = out.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

std::error_code write_at(int fd, std::span<const std::byte> data, std::uint64_t offset) noexcept {
  while (!data.empty()) {
    const ssize_t n = ::pwrite(fd, data.data(), data.size(), static_cast<off_t>(offset));
    if (n < 0) {
      if (errno == EINTR) continue;
      return last_os_error();
    }
    data = data.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

std::error_code reserve(int fd, std::uint64_t offset, std::uint64_t length) noexcept {
  int result;
  do {
    result = ::posix_fallocate(fd, static_cast<off_t>(offset), static_cast<off_t>(length));
  } while (result == EINTR);
  return {result, std::generic_category()};
}

std::error_code punch_hole(int fd, std::uint64_t offset, std::uint64_t length) noexcept {
  while (::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(length)) < 0) {
    if (errno != EINTR) return last_os_error();
  }
  return {};
}

std::error_code allocate(int fd, std::uint64_t offset, std::uint64_t length) noexcept {
  while (::fallocate(fd, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                     static_cast<off_t>(length)) < 0) {
    if (errno != EINTR) return last_os_error();
  }
  return {};
}

std::error_code sync_data(int fd) noexcept {
  while (::fdatasync(fd) < 0) {
    if (errno != EINTR) return last_os_error();
  }
  return {};
}

void copy_range(int from, int to, std::uint64_t offset, std::uint64_t length,
                const std::filesystem::path& path) {
  while (length > 0) {
    off_t in = static_cast<off_t>(offset);
    off_t out = in;
    const ssize_t n = ::copy_file_range(from, &in, to, &out, length, 0);
    if (n > 0) {
      offset += static_cast<std::uint64_t>(n);
      length -= static_cast<std::uint64_t>(n);
      continue;
    }
    if (n == 0) return;  // the rest lies beyond the end of the source: a hole
    if (errno == EINTR) continue;
    if (errno != EXDEV && errno != EOPNOTSUPP && errno != EINVAL && errno != ENOSYS) {
      throw_os_error("copy into", path, errno);
    }
    std::vector<std::byte> buffer(std::min<std::uint64_t>(length, 1 << 20));
    if (auto error = read_at(from, buffer, offset)) throw_os_error("read", path, error.value());
    if (auto error = write_at(to, buffer, offset)) throw_os_error("write", path, error.value());
    offset += buffer.size();
    length -= buffer.size();
  }
}

std::uint64_t file_size(int fd, const std::filesystem::path& path) {
  struct stat status {};
  if (::fstat(fd, &status) < 0) throw_os_error("examine", path, errno);
  if (S_ISBLK(status.st_mode)) {
    const off_t end = ::lseek(fd, 0, SEEK_END);
    if (end < 0) throw_os_error("examine", path, errno);
    return static_cast<std::uint64_t>(end);
  }
  return static_cast<std::uint64_t>(status.st_size);
}

void resize(int fd, std::uint64_t size, const std::filesystem::path& path) {
  while (::ftruncate(fd, static_cast<off_t>(size)) < 0) {
    if (errno != EINTR) throw_os_error("resize", path, errno);
  }
}

void sync_directory(const std::filesystem::path& dir) {
  const UniqueFd fd = open_file(dir, O_RDONLY | O_DIRECTORY);
  if (::fsync(fd.get()) < 0) throw_os_error("flush directory", dir, errno);
}

FileExtent extent_at(int fd, std::uint64_t offset, std::uint64_t limit) noexcept {
  const off_t at = static_cast<off_t>(offset);
  const off_t data = ::lseek(fd, at, SEEK_DATA);
  if (data < 0) return {limit, errno != ENXIO};
  if (data > at) return {std::min(limit, static_cast<std::uint64_t>(data - at)), false};
  const off_t hole = ::lseek(fd, at, SEEK_HOLE);
  if (hole <= at) return {limit, true};
  return {std::min(limit, static_cast<std::uint64_t>(hole - at)), true};
}

SpaceExtent space_at(int fd, std::uint64_t offset, std::uint64_t limit) noexcept {
  // The kernel's struct ends in an array of extents; one is asked for.
  alignas(fiemap) std::array<std::byte, sizeof(fiemap) + sizeof(fiemap_extent)> bytes{};
  fiemap query{};
  query.fm_start = offset;
  query.fm_length = limit;
  query.fm_extent_count = 1;
  std::memcpy(bytes.data(), &query, sizeof query);
  if (::ioctl(fd, FS_IOC_FIEMAP, bytes.data()) < 0) return {limit, true};
  std::memcpy(&query, bytes.data(), sizeof query);
  if (query.fm_mapped_extents == 0) return {limit, false};
  fiemap_extent extent;
  std::memcpy(&extent, bytes.data() + sizeof query, sizeof extent);
  if (extent.fe_logical > offset)
    return {std::min<std::uint64_t>(limit, extent.fe_logical - offset), false};
  return {std::min<std::uint64_t>(limit, extent.fe_logical + extent.fe_length - offset), true};
}

}  // namespace reprise::blk
