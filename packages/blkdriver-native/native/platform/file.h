#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <system_error>

#include "platform/unique_fd.h"

namespace reprise::blk {

/// Whether a read may sleep for the disk. `kNever` serves only what the page
/// cache holds and answers `resource_unavailable_try_again` otherwise.
enum class Wait : std::uint8_t { kAllowed, kNever };

/// Opens `path` (always close-on-exec). Throws Error.
UniqueFd open_file(const std::filesystem::path& path, int flags, unsigned mode = 0600);

/// Fills `out` from `offset`. What lies beyond the end of the file reads as zeros.
[[nodiscard]] std::error_code read_at(int fd, std::span<std::byte> out, std::uint64_t offset,
                                      Wait wait = Wait::kAllowed) noexcept;

/// Writes all of `data` at `offset`.
[[nodiscard]] std::error_code write_at(int fd, std::span<const std::byte> data,
                                       std::uint64_t offset) noexcept;

/// Takes real space for the range, so that a later write or a store into a
/// mapping cannot run out of it. Extends the file where needed.
[[nodiscard]] std::error_code reserve(int fd, std::uint64_t offset, std::uint64_t length) noexcept;

/// Gives the range's space back; it reads as zeros. The size stays.
[[nodiscard]] std::error_code punch_hole(int fd, std::uint64_t offset,
                                         std::uint64_t length) noexcept;

/// As `reserve`, but fails with operation_not_supported where that would mean writing.
[[nodiscard]] std::error_code allocate(int fd, std::uint64_t offset, std::uint64_t length) noexcept;

[[nodiscard]] std::error_code sync_data(int fd) noexcept;

/// Copies a range between two files, sharing blocks where the file system can.
void copy_range(int from, int to, std::uint64_t offset, std::uint64_t length,
                const std::filesystem::path& path);

std::uint64_t file_size(int fd, const std::filesystem::path& path);
void resize(int fd, std::uint64_t size, const std::filesystem::path& path);

/// Makes created, renamed and removed names of a directory durable.
void sync_directory(const std::filesystem::path& dir);

/// A stretch of a file that holds data, or a hole.
struct FileExtent {
  std::uint64_t length = 0;
  bool data = true;
};

/// What stands at `offset`: a stretch of at most `limit` bytes. Where the file
/// system cannot tell, everything is data; beyond the end everything is a hole.
FileExtent extent_at(int fd, std::uint64_t offset, std::uint64_t limit) noexcept;

/// A stretch that has space of its own on the disk, whether or not it was written, or none.
struct SpaceExtent {
  std::uint64_t length = 0;
  bool reserved = true;
};

/// As `extent_at`, of space: what is reserved and not written is a hole there. Where the
/// file system cannot tell, everything is reserved.
SpaceExtent space_at(int fd, std::uint64_t offset, std::uint64_t limit) noexcept;

}  // namespace reprise::blk
