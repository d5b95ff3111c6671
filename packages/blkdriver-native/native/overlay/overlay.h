#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include "log/dirty_log.h"
#include "overlay/header.h"
#include "overlay/presence_map.h"
#include "platform/unique_fd.h"

namespace reprise::blk {

/// One overlay directory: `header`, `data` (sparse, blocks at their disk
/// offsets), `presence`, and the dirty log's files. See docs/formats/overlay.md.
class Overlay {
 public:
  struct WriteOptions {
    std::size_t log_segment_bytes = 1 << 20;
    std::uint64_t log_compact_bytes = 32 << 20;
    /// For tests: recover as if the machine had gone down.
    bool assume_power_loss = false;
  };

  /// Opens a closed or sealed overlay to be read; it cannot be written meanwhile.
  static Overlay open_sealed(const std::filesystem::path& dir);

  /// Opens an overlay to be written, alone, and recovers it where its driver was
  /// killed or the machine went down. Throws Error.
  static Overlay open_writable(const std::filesystem::path& dir, const WriteOptions& options);

  Overlay(Overlay&&) = default;
  Overlay& operator=(Overlay&&) = delete;

  std::uint64_t size_bytes() const noexcept { return header_.header().size_bytes; }
  /// Its own, whatever becomes of its name.
  const Identifier& identifier() const noexcept { return header_.header().identifier; }
  std::uint64_t block_count() const noexcept { return presence_.block_count(); }
  const std::filesystem::path& path() const noexcept { return dir_; }
  int data_fd() const noexcept { return data_.get(); }
  const PresenceMap& presence() const noexcept { return presence_; }
  PresenceMap& presence() noexcept { return presence_; }
  /// Null for one that is only read.
  DirtyLog* log() const noexcept { return log_.get(); }

  /// Makes everything durable and says so in the header. The device must be idle.
  /// After a failure the overlay stays "open" on disk and is recovered next time.
  void close();

 private:
  Overlay(std::filesystem::path dir, HeaderFile header)
      : dir_(std::move(dir)), header_(std::move(header)) {}
  void check_inside(const Record& mark) const;
  void rebuild_presence();
  void mark_everything_held();
  void restate_unfinished();

  std::filesystem::path dir_;
  HeaderFile header_;
  UniqueFd data_;
  PresenceMap presence_;
  std::unique_ptr<DirtyLog> log_;
};

/// The kind of mark that says what the presence map says.
constexpr RecordKind record_kind_of(BlockState state) noexcept {
  switch (state) {
    case BlockState::kData:
      return RecordKind::kWrite;
    case BlockState::kZero:
      return RecordKind::kZero;
    case BlockState::kAbsent:
      break;
  }
  return RecordKind::kRevert;
}

/// Appends marks that say what the presence map says of `range`, after changes
/// that were marked and not carried out.
[[nodiscard]] std::error_code restate(DirtyLog& log, const PresenceMap& presence, BlockRange range);

/// Where an overlay's parts are.
inline std::filesystem::path data_path(const std::filesystem::path& dir) {
  return dir / "data";
}
inline std::filesystem::path presence_path(const std::filesystem::path& dir) {
  return dir / "presence";
}

}  // namespace reprise::blk
