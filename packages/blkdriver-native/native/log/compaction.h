#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>

#include "log/log_files.h"

namespace reprise::blk {

enum class Numbering {
  kKeep,   ///< records keep their sequences, epochs and the last flush stay
  kFresh,  ///< marks are numbered from 1; epochs and flushes, which were another log's, go
};

struct CompactionResult {
  std::uint64_t records = 0;
  std::uint64_t last_sequence = 0;
};

/// Writes to `out` a segment file that keeps, of `inputs` (oldest first), each
/// block's last mark only, in the order of those last marks. A run of which some
/// blocks were written again is split. Memory: one bit a block (32 KiB per GiB
/// of disk) and two batches, however long the inputs are.
/// The file is durable on return. Throws Error, `kAborted` where `stop` asks for it.
CompactionResult write_compacted(std::span<const SegmentView> inputs, std::uint64_t block_count,
                                 const Segment::Identity& identity, Numbering numbering,
                                 const std::filesystem::path& out,
                                 const std::stop_token& stop = {});

}  // namespace reprise::blk
