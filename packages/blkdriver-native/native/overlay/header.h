#pragma once

#include <cstdint>
#include <filesystem>

#include "platform/boot_id.h"
#include "platform/unique_fd.h"

namespace reprise::blk {

/// How an overlay was left. The values are on disk.
enum class OverlayState : std::uint32_t {
  kClosed = 1,  ///< everything is durable and agrees; may be written again
  kOpen = 2,    ///< in use, or its driver was killed
  kSealed = 3,  ///< as kClosed, and never written again
};

struct OverlayHeader {
  std::uint64_t size_bytes = 0;
  OverlayState state = OverlayState::kClosed;
  Identifier boot{};        ///< of the machine, at the last change of state
  Identifier identifier{};  ///< of this overlay
  std::uint64_t salt = 0;   ///< of its dirty log
};

/// The file `header` of an overlay: two copies in two sectors, written in turn,
/// so that one is valid whatever happens during a change. Its lock is the overlay's.
class HeaderFile {
 public:
  static HeaderFile create(const std::filesystem::path& dir, const OverlayHeader& header);

  /// Opens and locks: exclusively to write, shared to read. Throws Error
  /// (kOverlayNotFound, kOverlayBusy, kOverlayCorrupt, kOverlayVersion).
  static HeaderFile open(const std::filesystem::path& dir, bool writable);

  const OverlayHeader& header() const noexcept { return header_; }
  /// Makes the new state durable before it returns.
  void set_state(OverlayState state);

 private:
  HeaderFile(std::filesystem::path path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}
  void load();
  void store();

  std::filesystem::path path_;
  UniqueFd fd_;
  OverlayHeader header_;
  std::uint64_t generation_ = 0;
};

}  // namespace reprise::blk
