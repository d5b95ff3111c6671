#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "nbd/protocol.h"
#include "nbd/stream.h"

namespace reprise::blk::nbd {

struct StatusExtent {
  std::uint32_t length;
  std::uint32_t flags;
};

/// Writes replies in the form that was agreed on.
class ReplyWriter {
 public:
  static constexpr std::size_t kSimpleBytes = 16;
  static constexpr std::size_t kChunkBytes = 20;
  static constexpr std::size_t kDataChunkBytes = kChunkBytes + 8;

  ReplyWriter(OutputBuffer& out, bool structured) : out_(out), structured_(structured) {}

  bool structured() const noexcept { return structured_; }
  OutputBuffer& out() noexcept { return out_; }

  /// The whole answer of a command that returns no data, or that failed.
  void finish(std::uint64_t cookie, WireError error);
  /// An error of a READ of which more chunks follow.
  void error_chunk(std::uint64_t cookie, WireError error, std::uint16_t chunk_flags);

  /// Bytes in front of a READ's data.
  std::size_t data_header_bytes() const noexcept {
    return structured_ ? kDataChunkBytes : kSimpleBytes;
  }
  /// Fills in those bytes. `done`: nothing follows for this cookie.
  void data_header(std::byte* at, std::uint64_t cookie, std::uint64_t offset, std::uint32_t length,
                   bool done) const noexcept;
  /// A READ's data that stands in a buffer of its own.
  void data(std::uint64_t cookie, std::uint64_t offset, std::span<const std::byte> data, bool done);

  void status(std::uint64_t cookie, std::uint32_t context, std::span<const StatusExtent> extents,
              bool done);

 private:
  void chunk_header(std::byte* at, std::uint16_t flags, std::uint16_t type, std::uint64_t cookie,
                    std::uint32_t length) const noexcept;

  OutputBuffer& out_;
  bool structured_;
};

}  // namespace reprise::blk::nbd
