#include "device/copy_on_write.h"

#include <fcntl.h>

#include <array>
#include <cstring>

namespace reprise::blk {

CopyOnWrite::CopyOnWrite(const RawFile& base, std::span<const Overlay> layers, Overlay* top,
                         std::uint64_t size_bytes)
    : base_(base),
      layers_(layers),
      top_(top),
      size_bytes_(size_bytes),
      layer_map_(layers, blocks_for(size_bytes)) {}

CopyOnWrite::Source CopyOnWrite::source_below(std::uint64_t block,
                                              std::uint64_t limit) const noexcept {
  const std::uint8_t place = layer_map_[block];
  const std::uint64_t blocks = limit == 1 ? 1 : layer_map_.run_length(block, limit);
  if (place == LayerMap::kZero) return {-1, place, blocks};
  if (place == LayerMap::kBase) return {base_.fd(), place, blocks};
  return {layers_[place - 1u].data_fd(), place, blocks};
}

CopyOnWrite::Source CopyOnWrite::source_of(std::uint64_t block,
                                           std::uint64_t limit) const noexcept {
  if (top_ == nullptr) return source_below(block, limit);
  const auto run = top_->presence().run_at(block, limit);
  if (run.state == BlockState::kData) return {top_->data_fd(), kTopFile, run.length};
  if (run.state == BlockState::kZero) return {-1, LayerMap::kZero, run.length};
  return source_below(block, run.length);
}

/// Because of the overlay, not of a layer below.
bool CopyOnWrite::reads_as_zeros_here(std::uint64_t block) const noexcept {
  return top_ != nullptr && top_->presence().get(block) == BlockState::kZero;
}

template <typename Lookup>
std::error_code CopyOnWrite::read_runs(std::uint64_t offset, std::span<std::byte> out, Wait wait,
                                       Lookup&& lookup) {
  while (!out.empty()) {
    const BlockRange range = blocks_touched(offset, out.size());
    const Source source = lookup(range.first, range.count);
    const std::uint64_t run_end = (range.first + source.blocks) * kBlockSize;
    const auto part = out.first(std::min<std::uint64_t>(out.size(), run_end - offset));
    if (source.fd < 0) {
      std::memset(part.data(), 0, part.size());
    } else if (auto error = read_at(source.fd, part, offset, wait)) {
      return error;
    }
    out = out.subspan(part.size());
    offset += part.size();
  }
  return {};
}

std::error_code CopyOnWrite::read(std::uint64_t offset, std::span<std::byte> out, Wait wait) {
  return read_runs(offset, out, wait, [this](std::uint64_t block, std::uint64_t limit) {
    return source_of(block, limit);
  });
}

std::error_code CopyOnWrite::read_below(std::uint64_t offset, std::span<std::byte> out) {
  return read_runs(offset, out, Wait::kAllowed, [this](std::uint64_t block, std::uint64_t limit) {
    return source_below(block, limit);
  });
}

std::error_code CopyOnWrite::write(std::uint64_t offset, std::span<const std::byte> data) {
  if (top_ == nullptr) return os_error_code(std::errc::read_only_file_system);
  if (auto error = top_->presence().prepare(blocks_touched(offset, data.size()))) return error;
  if (const std::uint64_t into = offset % kBlockSize; into != 0 || data.size() < kBlockSize) {
    const auto head = data.first(std::min<std::uint64_t>(data.size(), kBlockSize - into));
    if (auto error = write_part(offset, head)) return error;
    offset += head.size();
    data = data.subspan(head.size());
  }
  if (const std::uint64_t whole = data.size() / kBlockSize; whole > 0) {
    const BlockRange range{offset / kBlockSize, whole};
    if (auto error = write_blocks(range, data.first(range.length_bytes()))) return error;
    offset += range.length_bytes();
    data = data.subspan(range.length_bytes());
  }
  return data.empty() ? std::error_code{} : write_part(offset, data);
}

std::error_code CopyOnWrite::write_blocks(BlockRange range, std::span<const std::byte> data) {
  PresenceMap& presence = top_->presence();
  const int fd = top_->data_fd();
  while (!range.empty()) {
    const auto run = presence.run_at(range.first, range.count);
    BlockRange part{range.first, run.length};
    std::error_code error;
    if (run.state == BlockState::kData) {
      error = write_at(fd, data.first(part.length_bytes()), part.offset_bytes());
    } else {
      part = BlockGate::first_part(range);
      const std::shared_lock gate(gate_.gate_of(part.first));
      error = write_at(fd, data.first(part.length_bytes()), part.offset_bytes());
      if (!error) presence.set(part, BlockState::kData);
    }
    if (error) return error;
    data = data.subspan(part.length_bytes());
    range = {part.end(), range.count - part.count};
  }
  return {};
}

/// Writes within one block. One that the overlay does not hold yet is copied up whole.
std::error_code CopyOnWrite::write_part(std::uint64_t offset, std::span<const std::byte> data) {
  PresenceMap& presence = top_->presence();
  const std::uint64_t block = offset / kBlockSize;
  const int fd = top_->data_fd();
  if (presence.get(block) == BlockState::kData) return write_at(fd, data, offset);

  const std::unique_lock gate(gate_.gate_of(block));
  if (presence.get(block) == BlockState::kData) return write_at(fd, data, offset);
  alignas(64) std::array<std::byte, kBlockSize> whole;
  const std::uint64_t start = block * kBlockSize;
  if (auto error = read(start, whole, Wait::kAllowed)) return error;
  std::memcpy(whole.data() + (offset - start), data.data(), data.size());
  if (auto error = write_at(fd, whole, start)) return error;
  presence.set({block, 1}, BlockState::kData);
  return {};
}

std::error_code CopyOnWrite::flush() {
  return top_ == nullptr ? std::error_code{} : sync_data(top_->data_fd());
}

std::error_code CopyOnWrite::trim(std::uint64_t offset, std::uint64_t length) {
  if (top_ == nullptr) return os_error_code(std::errc::read_only_file_system);
  return discard_blocks(blocks_inside(offset, length, size_bytes_), {});
}

std::error_code CopyOnWrite::zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) {
  if (top_ == nullptr) return os_error_code(std::errc::read_only_file_system);
  static constexpr std::array<std::byte, kBlockSize> kZeros{};
  const BlockRange inside = blocks_inside(offset, length, size_bytes_);
  const std::uint64_t end = offset + length;
  if (auto error = discard_blocks(inside, options)) return error;
  // The parts of blocks at both ends, or of the one block that holds it all.
  while (offset < end) {
    if (!inside.empty() && offset >= inside.offset_bytes() && offset / kBlockSize < inside.end()) {
      offset = std::min(end, inside.end() * kBlockSize);
      continue;
    }
    const std::uint64_t block_end = (offset / kBlockSize + 1) * kBlockSize;
    const std::uint64_t n = std::min(end, block_end) - offset;
    if (auto error = write(offset, std::span(kZeros).first(n))) return error;
    offset += n;
  }
  return {};
}

/// State first, then the space: a kill between the two costs space, not content.
std::error_code CopyOnWrite::discard_blocks(BlockRange range, ZeroOptions options) {
  if (range.empty()) return {};
  PresenceMap& presence = top_->presence();
  const int fd = top_->data_fd();
  if (auto error = presence.prepare(range)) return error;
  if (options.keep_allocated) {
    // Before anything changes: an error leaves the blocks as they were.
    auto error = allocate(fd, range.offset_bytes(), range.length_bytes());
    if (error == std::errc::operation_not_supported && !options.only_if_fast) {
      error = reserve(fd, range.offset_bytes(), range.length_bytes());
    }
    if (error) return error;
  }
  while (!range.empty()) {
    const BlockRange part = BlockGate::first_part(range);
    const std::unique_lock gate(gate_.gate_of(part.first));
    const auto run = presence.run_at(part.first, part.count);
    const bool holds_space = run.state != BlockState::kAbsent || run.length < part.count;
    presence.set(part, BlockState::kZero);
    // The space is only worth having back; a file system that cannot is no error.
    if (holds_space && !options.keep_allocated) {
      (void)punch_hole(fd, part.offset_bytes(), part.length_bytes());
    }
    range = {part.end(), range.count - part.count};
  }
  return {};
}

std::error_code CopyOnWrite::cache(std::uint64_t offset, std::uint64_t length) {
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const BlockRange range = blocks_touched(offset, end - offset);
    const Source source = source_of(range.first, range.count);
    const std::uint64_t n = std::min(end, (range.first + source.blocks) * kBlockSize) - offset;
    if (source.fd >= 0) {
      ::posix_fadvise(source.fd, static_cast<off_t>(offset), static_cast<off_t>(n),
                      POSIX_FADV_WILLNEED);
    }
    offset += n;
  }
  return {};
}

std::error_code CopyOnWrite::status(StatusKind kind, std::uint64_t offset, std::uint64_t length,
                                    const ExtentVisitor& visit) {
  return kind == StatusKind::kAllocation ? status_allocation(offset, length, visit)
                                         : status_dirty(offset, length, visit);
}

std::error_code CopyOnWrite::status_allocation(std::uint64_t offset, std::uint64_t length,
                                               const ExtentVisitor& visit) {
  const std::uint64_t end = offset + length;
  while (offset < end) {
    const BlockRange range = blocks_touched(offset, end - offset);
    const Source source = source_of(range.first, range.count);
    std::uint64_t length_here = std::min(end, (range.first + source.blocks) * kBlockSize) - offset;
    std::uint32_t flags = kStatusHole | kStatusZero;
    if (source.fd >= 0) {
      const FileExtent extent = extent_at(source.fd, offset, length_here);
      length_here = extent.length;
      if (extent.data) flags = 0;
    } else if (reads_as_zeros_here(range.first)) {
      // Zeroed with or without its space kept: only the file system knows.
      const SpaceExtent extent = space_at(top_->data_fd(), offset, length_here);
      length_here = extent.length;
      if (extent.reserved) flags = kStatusZero;
    }
    if (!visit(length_here, flags)) return {};
    offset += length_here;
  }
  return {};
}

std::error_code CopyOnWrite::status_dirty(std::uint64_t offset, std::uint64_t length,
                                          const ExtentVisitor& visit) {
  const std::uint64_t end = offset + length;
  while (offset < end) {
    std::uint64_t run_end = end;
    bool dirty = false;
    if (top_ != nullptr) {
      const BlockRange range = blocks_touched(offset, end - offset);
      const auto run = top_->presence().run_at(range.first, range.count);
      dirty = run.state != BlockState::kAbsent;
      run_end = std::min(end, (range.first + run.length) * kBlockSize);
    }
    if (!visit(run_end - offset, dirty ? kStatusDirty : 0)) return {};
    offset = run_end;
  }
  return {};
}

}  // namespace reprise::blk
