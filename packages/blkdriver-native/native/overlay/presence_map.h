#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <system_error>
#include <vector>

#include "device/block_range.h"
#include "platform/mapped_file.h"
#include "platform/unique_fd.h"

namespace reprise::blk {

/// What an overlay says of a block. The values are on disk, two bits a block.
enum class BlockState : std::uint8_t {
  kAbsent = 0,  ///< ask the layer below
  kData = 1,    ///< in the data file, at its disk offset
  kZero = 2,    ///< zeros, whatever the data file has there
};

/// The state of every block of an overlay: 64 KiB per GiB of disk, mapped, so
/// that a change needs no system call and outlives the process. It is an index
/// of the dirty log and can be rebuilt from it.
///
/// Reads are wait-free. `prepare` before `set`: it takes the space that the
/// store needs, so that a full disk is an error and not a fault.
class PresenceMap {
 public:
  PresenceMap() = default;
  static PresenceMap create(const std::filesystem::path& path, std::uint64_t block_count);
  static PresenceMap open(const std::filesystem::path& path, std::uint64_t block_count,
                          bool writable);

  // Sequentially consistent with `set` and with DirtyTracking's counters: of two changes that race,
  // at least one sees the other.
  BlockState get(std::uint64_t block) const noexcept {
    if (!has_space(block)) return BlockState::kAbsent;
    const std::uint64_t word = word_of(block).load();
    return static_cast<BlockState>(word >> shift_of(block) & 3);
  }

  /// Blocks in a row that share a state. Each was in it at some instant of the call.
  struct Run {
    BlockState state;
    std::uint64_t length;  ///< at least 1
  };
  Run run_at(std::uint64_t block, std::uint64_t limit) const noexcept;

  [[nodiscard]] std::error_code prepare(BlockRange range);
  /// To be called when what the state promises is already true.
  void set(BlockRange range, BlockState state) noexcept;

  [[nodiscard]] std::error_code sync() noexcept;
  /// Forgets everything. No other call may run meanwhile.
  void clear();

  std::uint64_t block_count() const noexcept { return block_count_; }

  /// Calls `visit(BlockRange, BlockState)` for every run that is not absent, in order.
  template <typename Visit>
  void for_each_run(Visit&& visit) const;

 private:
  static constexpr std::uint64_t kBlocksPerWord = 32;
  /// One piece of the file whose space is taken at once: 1 GiB of disk.
  static constexpr std::uint64_t kBlocksPerPiece = 1 << 18;
  static constexpr std::uint64_t kPieceBytes = kBlocksPerPiece / 4;

  static unsigned shift_of(std::uint64_t block) noexcept {
    return static_cast<unsigned>(block % kBlocksPerWord * 2);
  }
  std::atomic_ref<std::uint64_t> word_of(std::uint64_t block) const noexcept {
    return std::atomic_ref<std::uint64_t>(
        reinterpret_cast<std::uint64_t*>(map_.data())[block / kBlocksPerWord]);
  }
  /// A piece without space is absent throughout, and must not be touched.
  bool has_space(std::uint64_t block) const noexcept {
    return shared_->pieces[block / kBlocksPerPiece].load(std::memory_order_acquire) != 0;
  }
  void find_pieces();

  struct Shared {
    explicit Shared(std::uint64_t count) : pieces(count) {}
    std::vector<std::atomic<std::uint8_t>> pieces;
    std::mutex growth;
  };

  std::filesystem::path path_;
  UniqueFd fd_;
  MappedFile map_;
  std::uint64_t block_count_ = 0;
  std::unique_ptr<Shared> shared_;
};

template <typename Visit>
void PresenceMap::for_each_run(Visit&& visit) const {
  for (std::uint64_t block = 0; block < block_count_;) {
    const Run run = run_at(block, block_count_ - block);
    if (run.state != BlockState::kAbsent) visit(BlockRange{block, run.length}, run.state);
    block += run.length;
  }
}

}  // namespace reprise::blk
