// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

namespace reprise::vclock {

/** Cuts a byte stream into messages. Holds at most one message and what was read beyond it. */
class FrameBuffer {
 public:
  void push(std::span<const std::byte> bytes);

  /** The next whole message, its length field taken off; empty while it is not all there. */
  std::optional<std::vector<std::byte>> next();

  /** A length field announced more than a message may have: nothing after it can be trusted. */
  [[nodiscard]] bool broken() const noexcept { return broken_; }

 private:
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
  bool broken_ = false;
};

}  // namespace reprise::vclock
