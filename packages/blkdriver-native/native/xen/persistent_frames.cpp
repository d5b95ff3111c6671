#include "xen/persistent_frames.h"

namespace reprise::blk::xen {

PersistentFrames::~PersistentFrames() {
  for (const Mapped& mapped : order_) mapper_.unmap(mapped.address);
}

std::span<std::byte> PersistentFrames::frame(std::uint32_t gref) {
  if (const auto found = index_.find(gref); found != index_.end()) {
    order_.splice(order_.begin(), order_, found->second);
    return {found->second->address, kFrameBytes};
  }
  std::byte* const address = mapper_.map(gref);
  if (address == nullptr) return {};
  if (index_.size() >= most_) {
    mapper_.unmap(order_.back().address);
    index_.erase(order_.back().gref);
    order_.pop_back();
  }
  order_.push_front({gref, address});
  index_.emplace(gref, order_.begin());
  return {address, kFrameBytes};
}

}  // namespace reprise::blk::xen
