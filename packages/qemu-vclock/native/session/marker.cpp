// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/marker.h"

#include <type_traits>

#include "digest.h"

namespace reprise::vclock {

void Marker::start(std::int64_t interval_ns) {
  interval_ns_ = interval_ns;
  next_ns_ = kShareNs;
  first_instruction_ = guest_.trace().instructions;
}

std::optional<std::int64_t> Marker::next_ns() const noexcept {
  if (interval_ns_ == 0) return std::nullopt;
  return next_ns_;
}

void Marker::look(std::int64_t session_ns) {
  for (; interval_ns_ != 0 && next_ns_ <= session_ns; next_ns_ += kShareNs) {
    const auto shares = interval_ns_ / kShareNs;
    const auto share = (next_ns_ / kShareNs - 1) % shares;
    // A sum: the shares are told apart by their pages' own numbers.
    memory_digest_ +=
        guest_.memory_digest(static_cast<std::size_t>(share), static_cast<std::size_t>(shares));
    if (share + 1 != shares) continue;
    Mark mark{next_ns_, guest_.trace(), input_digest_, memory_digest_};
    mark.trace.instructions -= first_instruction_;
    memory_digest_ = 0;
    if (untold_.size() < kMostUntold) untold_.push_back(mark);
  }
}

void Marker::injected(std::int64_t at_ns, const Event& event) {
  const auto fold = [this](std::int64_t value) {
    input_digest_ = folded(input_digest_, std::as_bytes(std::span(&value, 1)));
  };
  fold(at_ns);
  fold(static_cast<std::int64_t>(event.index()));
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, KeyEvent>) fold(body.number * 2 + (body.down ? 1 : 0));
        if constexpr (std::is_same_v<Body, PointerEvent>) {
          fold(body.x);
          fold(body.y);
          fold(body.buttons);
        }
        if constexpr (std::is_same_v<Body, FrameEvent>)
          input_digest_ = folded(input_digest_, body.bytes);
      },
      event);
}

std::optional<Mark> Marker::take() {
  if (untold_.empty()) return std::nullopt;
  const auto mark = untold_.front();
  untold_.pop_front();
  return mark;
}

}  // namespace reprise::vclock
