#include "overlay/presence_map.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "platform/file.h"

namespace reprise::blk {
namespace {

/// The two-bit pattern `state` in all 32 places of a word.
constexpr std::uint64_t repeated(BlockState state) noexcept {
  return static_cast<std::uint64_t>(state) * 0x5555555555555555u;
}

/// The bits of `count` blocks from place `from` of a word.
constexpr std::uint64_t mask_of(std::uint64_t from, std::uint64_t count) noexcept {
  const std::uint64_t bits = count * 2;
  const std::uint64_t low = bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
  return low << (from * 2);
}

}  // namespace

PresenceMap PresenceMap::create(const std::filesystem::path& path, std::uint64_t block_count) {
  open_file(path, O_RDWR | O_CREAT | O_EXCL);
  return open(path, block_count, true);
}

PresenceMap PresenceMap::open(const std::filesystem::path& path, std::uint64_t block_count,
                              bool writable) {
  PresenceMap map;
  map.path_ = path;
  map.block_count_ = block_count;
  map.fd_ = open_file(path, writable ? O_RDWR : O_RDONLY);
  const std::uint64_t pieces = (block_count + kBlocksPerPiece - 1) / kBlocksPerPiece;
  const std::uint64_t bytes = pieces * kPieceBytes;
  if (writable) {
    resize(map.fd_.get(), bytes, path);
  } else if (file_size(map.fd_.get(), path) < bytes) {
    throw Error(
        ErrorCode::kOverlayCorrupt,
        "The presence map " + path.string() + " is too short. Restore the overlay from a snapshot.",
        path);
  }
  map.map_ = MappedFile(map.fd_.get(), bytes, writable, path);
  map.shared_ = std::make_unique<Shared>(pieces);
  map.find_pieces();
  return map;
}

/// A piece that is one hole was never stored into. One that is partly a hole has
/// its space reserved already (or is sealed and only read, which needs none on disk).
void PresenceMap::find_pieces() {
  off_t at = 0;
  while ((at = ::lseek(fd_.get(), at, SEEK_DATA)) >= 0) {
    const std::uint64_t piece = static_cast<std::uint64_t>(at) / kPieceBytes;
    if (piece >= shared_->pieces.size()) return;
    shared_->pieces[piece].store(1, std::memory_order_release);
    at = static_cast<off_t>((piece + 1) * kPieceBytes);
  }
  if (errno != ENXIO) throw_os_error("examine", path_, errno);
}

PresenceMap::Run PresenceMap::run_at(std::uint64_t block, std::uint64_t limit) const noexcept {
  const BlockState state = get(block);
  const std::uint64_t pattern = repeated(state);
  const std::uint64_t end = std::min(block + limit, block_count_);
  std::uint64_t at = block + 1;
  while (at < end) {
    if (!has_space(at)) {
      if (state != BlockState::kAbsent) break;
      at = (at / kBlocksPerPiece + 1) * kBlocksPerPiece;
      continue;
    }
    const std::uint64_t place = at % kBlocksPerWord;
    const std::uint64_t word = word_of(at).load();
    const std::uint64_t different = (word ^ pattern) & mask_of(place, kBlocksPerWord - place);
    if (different != 0) {
      at = at - place + static_cast<std::uint64_t>(__builtin_ctzll(different)) / 2;
      break;
    }
    at += kBlocksPerWord - place;
  }
  return {state, std::min(at, end) - block};
}

std::error_code PresenceMap::prepare(BlockRange range) {
  if (range.empty()) return {};
  const std::uint64_t last = (range.end() - 1) / kBlocksPerPiece;
  for (std::uint64_t piece = range.first / kBlocksPerPiece; piece <= last; ++piece) {
    if (shared_->pieces[piece].load(std::memory_order_acquire) == 2) continue;
    const std::lock_guard lock(shared_->growth);
    if (shared_->pieces[piece].load(std::memory_order_relaxed) == 2) continue;
    // Also where the piece has data: a crash may have come between two stores.
    if (auto error = reserve(fd_.get(), piece * kPieceBytes, kPieceBytes)) return error;
    shared_->pieces[piece].store(2, std::memory_order_release);
  }
  return {};
}

void PresenceMap::set(BlockRange range, BlockState state) noexcept {
  const std::uint64_t pattern = repeated(state);
  for (std::uint64_t at = range.first; at < range.end();) {
    const std::uint64_t place = at % kBlocksPerWord;
    const std::uint64_t count = std::min(kBlocksPerWord - place, range.end() - at);
    const std::uint64_t mask = mask_of(place, count);
    const auto word = word_of(at);
    std::uint64_t before = word.load(std::memory_order_relaxed);
    while (!word.compare_exchange_weak(before, (before & ~mask) | (pattern & mask),
                                       std::memory_order_seq_cst, std::memory_order_relaxed)) {
    }
    at += count;
  }
}

std::error_code PresenceMap::sync() noexcept {
  return sync_data(fd_.get());
}

void PresenceMap::clear() {
  const std::uint64_t bytes = map_.size();
  resize(fd_.get(), 0, path_);
  resize(fd_.get(), bytes, path_);
  for (auto& piece : shared_->pieces) piece.store(0, std::memory_order_release);
}

}  // namespace reprise::blk
