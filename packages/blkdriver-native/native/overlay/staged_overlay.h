#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>

#include "overlay/overlay.h"
#include "platform/unique_fd.h"

// What creating, sealing and merging overlays have in common.
namespace reprise::blk {

/// A directory that becomes `target` in one step, or is removed.
class StagedDirectory {
 public:
  /// Throws Error(kOverlayExists) where there is one already.
  explicit StagedDirectory(const std::filesystem::path& target);
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory();

  const std::filesystem::path& path() const noexcept { return staged_; }
  void commit();

 private:
  std::filesystem::path target_;
  std::filesystem::path staged_;
};

std::uint64_t random_salt();

UniqueFd create_data_file(const std::filesystem::path& dir, std::uint64_t size_bytes);

void write_header(const std::filesystem::path& dir, std::uint64_t size_bytes, OverlayState state,
                  std::uint64_t salt);

/// Copies what of `[offset, end)` is data; holes stay holes.
void copy_data(int from, int to, std::uint64_t offset, std::uint64_t end,
               const std::filesystem::path& path, const std::stop_token& stop);

}  // namespace reprise::blk
