#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "overlay/overlay.h"

namespace reprise::blk {

/// Creates an empty, closed overlay. `dir` must not exist or be empty. Throws Error.
void create_overlay(const std::filesystem::path& dir, std::uint64_t size_bytes);

/// Makes a sealed overlay of a file whose blocks stand at their disk offsets; the
/// file is moved in (copied where it is on another file system). Its dirty log
/// has one mark a run, in the order given.
void seal_overlay_from(const std::filesystem::path& dir, std::uint64_t size_bytes,
                       const std::filesystem::path& data_file, std::span<const BlockRange> runs);

/// Makes one sealed overlay that reads as `layers` (oldest first) do together; its
/// dirty log keeps each block's last mark, in order.
void merge_overlays(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& layers);

/// The union of what the layers hold, as ascending disjoint runs.
std::vector<BlockRange> held_blocks(const std::vector<std::filesystem::path>& layers);

}  // namespace reprise::blk
