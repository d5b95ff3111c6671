#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>
#include <vector>

#include "overlay/overlay.h"

// Everything here throws Error; kAborted once `stop` is asked for, and then nothing was made
// and the caller's files are as they were.
namespace reprise::blk {

/// Creates an empty, closed overlay. `dir` must not exist or be empty.
void create_overlay(const std::filesystem::path& dir, std::uint64_t size_bytes,
                    const std::stop_token& stop = {});

/// Makes a sealed overlay of a file whose blocks stand at their disk offsets; the
/// file is moved in (copied where it is on another file system). Its dirty log
/// has one mark a run, in the order given.
void seal_overlay_from(const std::filesystem::path& dir, std::uint64_t size_bytes,
                       const std::filesystem::path& data_file, std::span<const BlockRange> runs,
                       const std::stop_token& stop = {});

/// Makes one sealed overlay that reads as `layers` (oldest first) do together; its
/// dirty log keeps each block's last mark, in order.
void merge_overlays(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& layers,
                    const std::stop_token& stop = {});

/// The union of what the layers hold, as ascending disjoint runs.
std::vector<BlockRange> held_blocks(const std::vector<std::filesystem::path>& layers,
                                    const std::stop_token& stop = {});

}  // namespace reprise::blk
