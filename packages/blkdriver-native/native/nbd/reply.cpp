#include "nbd/reply.h"

#include "nbd/wire.h"

namespace reprise::blk::nbd {

void ReplyWriter::chunk_header(std::byte* at, std::uint16_t flags, std::uint16_t type,
                               std::uint64_t cookie, std::uint32_t length) const noexcept {
  store(at, kMagicStructuredReply);
  store(at + 4, flags);
  store(at + 6, type);
  store(at + 8, cookie);
  store(at + 16, length);
}

void ReplyWriter::finish(std::uint64_t cookie, WireError error) {
  if (structured_ && error != kWireOk) return error_chunk(cookie, error, kChunkDone);
  if (structured_) {
    const auto at = out_.reserve(kChunkBytes);
    if (at.empty()) return;
    chunk_header(at.data(), kChunkDone, kChunkNone, cookie, 0);
    return out_.commit(kChunkBytes);
  }
  const auto at = out_.reserve(kSimpleBytes);
  if (at.empty()) return;
  store(at.data(), kMagicSimpleReply);
  store(at.data() + 4, static_cast<std::uint32_t>(error));
  store(at.data() + 8, cookie);
  out_.commit(kSimpleBytes);
}

void ReplyWriter::error_chunk(std::uint64_t cookie, WireError error, std::uint16_t chunk_flags) {
  constexpr std::size_t kBytes = kChunkBytes + 6;
  const auto at = out_.reserve(kBytes);
  if (at.empty()) return;
  chunk_header(at.data(), chunk_flags, kChunkError, cookie, 6);
  store(at.data() + kChunkBytes, static_cast<std::uint32_t>(error));
  store(at.data() + kChunkBytes + 4, std::uint16_t{0});  // no message
  out_.commit(kBytes);
}

void ReplyWriter::data_header(std::byte* at, std::uint64_t cookie, std::uint64_t offset,
                              std::uint32_t length, bool done) const noexcept {
  if (structured_) {
    chunk_header(at, done ? kChunkDone : std::uint16_t{0}, kChunkOffsetData, cookie, length + 8);
    store(at + kChunkBytes, offset);
  } else {
    store(at, kMagicSimpleReply);
    store(at + 4, std::uint32_t{0});
    store(at + 8, cookie);
  }
}

void ReplyWriter::data(std::uint64_t cookie, std::uint64_t offset, std::span<const std::byte> data,
                       bool done) {
  const auto at = out_.reserve(data_header_bytes());
  if (at.empty()) return;
  data_header(at.data(), cookie, offset, static_cast<std::uint32_t>(data.size()), done);
  out_.commit(data_header_bytes());
  out_.send_with(data);
}

void ReplyWriter::status(std::uint64_t cookie, std::uint32_t context,
                         std::span<const StatusExtent> extents, bool done) {
  const std::size_t payload = 4 + extents.size() * 8;
  const auto at = out_.reserve(kChunkBytes + payload);
  if (at.empty()) return;
  chunk_header(at.data(), done ? kChunkDone : std::uint16_t{0}, kChunkBlockStatus, cookie,
               static_cast<std::uint32_t>(payload));
  std::byte* p = at.data() + kChunkBytes;
  store(p, context);
  p += 4;
  for (const StatusExtent& extent : extents) {
    store(p, extent.length);
    store(p + 4, extent.flags);
    p += 8;
  }
  out_.commit(kChunkBytes + payload);
}

}  // namespace reprise::blk::nbd
