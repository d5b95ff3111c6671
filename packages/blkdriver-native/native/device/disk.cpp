#include "device/disk.h"

#include "error.h"

namespace reprise::blk {

std::vector<Overlay> open_layers(const std::vector<std::filesystem::path>& layers) {
  if (layers.size() > LayerMap::kMostLayers) {
    throw Error(ErrorCode::kChainTooLong, "The chain has " + std::to_string(layers.size()) +
                                              " layers, at most " +
                                              std::to_string(LayerMap::kMostLayers) +
                                              " are served. Merge some with mergeOverlays().");
  }
  std::vector<Overlay> opened;
  opened.reserve(layers.size());
  for (const auto& path : layers) opened.push_back(Overlay::open_sealed(path));
  return opened;
}

void check_sizes(const RawFile& base, std::span<const Overlay> layers, std::uint64_t size_bytes) {
  const auto mismatch = [&](const std::filesystem::path& path, std::uint64_t size) {
    throw Error(ErrorCode::kChainSizeMismatch,
                path.string() + " has " + std::to_string(size) + " bytes, the disk " +
                    std::to_string(size_bytes) + ". Use parts that were made for one disk.",
                path);
  };
  if (base.size_bytes() > size_bytes) mismatch(base.path(), base.size_bytes());
  for (const Overlay& layer : layers) {
    if (layer.size_bytes() != size_bytes) mismatch(layer.path(), layer.size_bytes());
  }
}

std::unique_ptr<Disk> Disk::open(const std::filesystem::path& base,
                                 const std::vector<std::filesystem::path>& layers,
                                 const std::filesystem::path& overlay, const DiskOptions& options) {
  RawFile base_file = RawFile::open(base);
  std::vector<Overlay> opened = open_layers(layers);
  Overlay top = Overlay::open_writable(overlay, options.overlay);
  check_sizes(base_file, opened, top.size_bytes());
  return std::unique_ptr<Disk>(
      new Disk(std::move(base_file), std::move(opened), std::move(top), options));
}

Disk::Disk(RawFile base, std::vector<Overlay> layers, Overlay overlay, const DiskOptions& options)
    : base_(std::move(base)), layers_(std::move(layers)), overlay_(std::move(overlay)) {
  copy_on_write_ = std::make_unique<CopyOnWrite>(base_, layers_, &overlay_, overlay_.size_bytes());
  BlockDevice* top = copy_on_write_.get();
  if (options.tracking) {
    tracking_ = std::make_unique<DirtyTracking>(*top, overlay_);
    top = tracking_.get();
  }
  if (options.delays.any()) {
    delays_ = std::make_unique<DelayInjection>(*top, options.delays);
    top = delays_.get();
  }
  if (options.faults.any()) {
    faults_ = std::make_unique<FaultInjection>(*top, options.faults);
    top = faults_.get();
  }
  statistics_ = std::make_unique<Statistics>(*top);
}

void Disk::close() {
  overlay_.close();
}

}  // namespace reprise::blk
