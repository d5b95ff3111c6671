#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <system_error>

#include "log/record.h"
#include "platform/file.h"
#include "platform/mapped_file.h"

namespace reprise::blk {

/// One file of the dirty log: a 64-byte header, then records. Space is reserved
/// before the first record goes in, so a full disk is an error of the write that
/// needed the next segment, never a fault on a store.
class Segment {
 public:
  static constexpr std::size_t kHeaderBytes = 64;
  static constexpr std::size_t kRecordBytes = sizeof(PackedRecord);

  struct Identity {
    std::uint64_t first_sequence = 0;  ///< no record of the segment is below it
    std::uint64_t epoch = 0;           ///< the epoch that the first record belongs to
    std::uint64_t salt = 0;
  };

  /// Creates the file with its space; it is no part of the log until `activate`.
  static std::shared_ptr<Segment> prepare(const std::filesystem::path& path, std::size_t bytes);

  /// Opens an existing segment. Null where it was never activated.
  static std::shared_ptr<Segment> open(const std::filesystem::path& path, bool writable);

  void activate(const Identity& identity) noexcept;

  /// Makes an opened segment ready for more records after the first `records`:
  /// what follows them is wiped and space for `bytes` in all is reserved.
  void reopen_for_append(std::size_t records, std::size_t bytes);

  /// Gives back what lies behind the first `records`.
  void trim(std::size_t records);

  void put(std::size_t index, const PackedRecord& record) noexcept;
  /// Replaces the count and checksum of a record by one atomic store.
  void put_tail(std::size_t index, std::uint64_t tail) noexcept;

  /// Reads raw records; what lies beyond the file is all zeros.
  void read(std::size_t index, std::span<PackedRecord> out) const;

  /// How many valid records stand at the front.
  std::size_t count_valid() const;

  [[nodiscard]] std::error_code sync() noexcept { return sync_data(fd_.get()); }

  /// Records that fit.
  std::size_t capacity() const noexcept { return capacity_; }
  std::uint64_t bytes() const noexcept { return kHeaderBytes + capacity_ * kRecordBytes; }
  const Identity& identity() const noexcept { return identity_; }
  const std::filesystem::path& path() const noexcept { return path_; }

  /// Its file has got another name.
  void moved_to(std::filesystem::path path) noexcept { path_ = std::move(path); }

  /// The header's 64 bytes, for whoever writes a whole segment file at once.
  static void encode_header(const Identity& identity, std::span<std::byte, kHeaderBytes> out);

 private:
  Segment(std::filesystem::path path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  std::byte* slot(std::size_t index) const noexcept {
    return map_.data() + kHeaderBytes + index * kRecordBytes;
  }

  std::filesystem::path path_;
  UniqueFd fd_;
  MappedFile map_;
  Identity identity_;
  std::size_t capacity_ = 0;
};

}  // namespace reprise::blk
