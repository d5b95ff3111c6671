#include "device/disk_view.h"

#include "device/disk.h"

namespace reprise::blk {

std::unique_ptr<DiskView> DiskView::open(const std::filesystem::path& base,
                                         const std::vector<std::filesystem::path>& layers) {
  RawFile base_file = RawFile::open(base);
  std::vector<Overlay> opened = open_layers(layers);
  if (!opened.empty()) check_sizes(base_file, opened, opened.back().size_bytes());
  return std::unique_ptr<DiskView>(new DiskView(std::move(base_file), std::move(opened)));
}

DiskView::DiskView(RawFile base, std::vector<Overlay> layers)
    : base_(std::move(base)), layers_(std::move(layers)) {
  const std::uint64_t size = layers_.empty() ? base_.size_bytes() : layers_.back().size_bytes();
  chain_ = std::make_unique<CopyOnWrite>(base_, layers_, nullptr, size);
}

std::vector<std::filesystem::path> DiskView::files() const {
  std::vector<std::filesystem::path> files{base_.path()};
  for (const Overlay& layer : layers_) files.push_back(data_path(layer.path()));
  return files;
}

std::vector<DiskExtent> DiskView::extents() const {
  std::vector<DiskExtent> extents;
  const std::uint64_t blocks = blocks_for(size_bytes());
  for (std::uint64_t block = 0; block < blocks;) {
    const auto source = chain_->source_of(block, blocks - block);
    const std::uint64_t end = std::min(size_bytes(), (block + source.blocks) * kBlockSize);
    for (std::uint64_t at = block * kBlockSize; source.fd >= 0 && at < end;) {
      const FileExtent extent = extent_at(source.fd, at, end - at);
      if (extent.data) extents.push_back({at, extent.length, source.file, at});
      at += extent.length;
    }
    block += source.blocks;
  }
  return extents;
}

}  // namespace reprise::blk
