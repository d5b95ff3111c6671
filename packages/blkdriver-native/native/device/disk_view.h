#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "device/copy_on_write.h"

namespace reprise::blk {

/// Where a stretch of the disk stands. What no extent covers reads as zeros.
struct DiskExtent {
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t file;  ///< index into DiskView::files()
  std::uint64_t file_offset;
};

/// A suspended chain, to be read only.
class DiskView {
 public:
  /// Throws Error.
  static std::unique_ptr<DiskView> open(const std::filesystem::path& base,
                                        const std::vector<std::filesystem::path>& layers);

  std::uint64_t size_bytes() const noexcept { return chain_->size_bytes(); }
  CopyOnWrite& chain() noexcept { return *chain_; }
  std::vector<std::filesystem::path> files() const;
  /// Ascending, disjoint, holes left out.
  std::vector<DiskExtent> extents() const;

 private:
  DiskView(RawFile base, std::vector<Overlay> layers);

  RawFile base_;
  std::vector<Overlay> layers_;
  std::unique_ptr<CopyOnWrite> chain_;
};

}  // namespace reprise::blk
