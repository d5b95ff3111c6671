#include "overlay/layer_map.h"

#include <cerrno>
#include <cstring>

#include "error.h"

namespace reprise::blk {

LayerMap::LayerMap(std::span<const Overlay> layers, std::uint64_t block_count)
    : block_count_(block_count) {
  if (layers.empty() || block_count == 0) return;
  void* const address = ::mmap(nullptr, block_count, PROT_READ | PROT_WRITE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) throw_os_error("allocate the layer map of", layers[0].path(), errno);
  map_ = static_cast<std::uint8_t*>(address);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layers[i].presence().for_each_run([&](BlockRange run, BlockState state) {
      const int place = state == BlockState::kZero ? kZero : static_cast<int>(i + 1);
      std::memset(map_ + run.first, place, run.count);
    });
  }
}

LayerMap::~LayerMap() {
  if (map_ != nullptr) ::munmap(map_, block_count_);
}

std::uint64_t LayerMap::run_length(std::uint64_t block, std::uint64_t limit) const noexcept {
  if (map_ == nullptr) return limit;
  const std::uint8_t place = map_[block];
  std::uint64_t length = 1;
  while (length < limit && map_[block + length] == place) ++length;
  return length;
}

}  // namespace reprise::blk
