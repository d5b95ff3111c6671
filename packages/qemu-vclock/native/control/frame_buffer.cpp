// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/frame_buffer.h"

#include "control/message.h"
#include "control/wire.h"

namespace reprise::vclock {

void FrameBuffer::push(std::span<const std::byte> bytes) {
  if (broken_) return;
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
}

std::optional<std::vector<std::byte>> FrameBuffer::next() {
  const std::span<const std::byte> rest = std::span(bytes_).subspan(begin_);
  if (broken_ || rest.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = WireReader(rest).number<std::uint32_t>();
  if (length < kHeadBytes || length > kMostMessageBytes) {
    broken_ = true;
    return std::nullopt;
  }
  if (rest.size() < kLengthBytes + length) return std::nullopt;
  const auto message = rest.subspan(kLengthBytes, length);
  begin_ += kLengthBytes + length;
  return std::vector<std::byte>(message.begin(), message.end());
}

}  // namespace reprise::vclock
