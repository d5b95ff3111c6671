#pragma once

#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include "device/block_device.h"
#include "nbd/handshake.h"
#include "nbd/reply.h"
#include "nbd/request.h"

namespace reprise::blk::nbd {

/// A READ that is answered chunk by chunk, in whatever order the chunks are ready.
struct PiecewiseRead {
  std::uint32_t pieces_left = 1;  ///< one stands for the loop that still makes pieces
};

/// What is done to the disk for one request, or for one piece of a long READ.
struct DiskJob {
  Request request;
  std::uint64_t offset = 0;
  std::uint32_t length = 0;
  std::shared_ptr<PiecewiseRead> whole{};  ///< null: the job is the whole answer
  std::uint32_t done_bytes = 0;            ///< of what is done slice by slice

  std::vector<std::byte> data{};                    ///< a READ's, of `length` bytes from the start
  std::vector<std::vector<StatusExtent>> status{};  ///< one a meta context
  std::error_code error{};

  /// Does the job, or a slice of it. True when it is done.
  bool perform(BlockDevice& device, const Agreement& agreement) noexcept;

 private:
  bool perform_some(BlockDevice& device, const Agreement& agreement);
  bool perform_slice(BlockDevice& device);
  void collect_status(BlockDevice& device, const Agreement& agreement);
};

}  // namespace reprise::blk::nbd
