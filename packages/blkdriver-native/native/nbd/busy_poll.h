#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include "nbd/stream.h"

namespace reprise::blk::nbd {

/// What the connections of a server share: only one of them busy-polls at a time,
/// so that polling takes one processor at most, and none where there is only one.
class BusyPollSlot {
 public:
  bool take() noexcept {
    return several_processors_ && !taken_.exchange(true, std::memory_order_acquire);
  }
  void give_back() noexcept { taken_.store(false, std::memory_order_release); }

 private:
  const bool several_processors_ = std::thread::hardware_concurrency() > 1;
  std::atomic<bool> taken_{false};
};

/// Looks for a client's next request for a moment before going to sleep for it.
///
/// To sleep and to be woken takes longer than a whole cached request, and a client
/// that waits for one answer sends the next request within microseconds. Where it
/// did not, the connection sleeps at once for its next waits: 1 of them, then 3, 7
/// and so on, so that an idle or slow client costs nothing to speak of.
class BusyPoll {
 public:
  explicit BusyPoll(BusyPollSlot& slot) noexcept : slot_(slot) {}

  /// As `InputBuffer::fill`.
  bool fill(InputBuffer& input) noexcept {
    if (rest_ > 0) {
      --rest_;
      return input.fill();
    }
    if (!slot_.take()) return input.fill();
    const InputBuffer::Fill filled = look(input);
    slot_.give_back();
    if (filled == InputBuffer::Fill::kNothing) {
      penalty_ = std::min(2 * penalty_ + 1, kLongestRest);
      rest_ = penalty_;
      return input.fill();
    }
    penalty_ = 0;
    return filled == InputBuffer::Fill::kBytes;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kWindow{30};
  static constexpr unsigned kLongestRest = 1023;
  static constexpr int kPausesBetweenLooks = 16;

  static InputBuffer::Fill look(InputBuffer& input) noexcept {
    const auto end = Clock::now() + kWindow;
    InputBuffer::Fill filled;
    while ((filled = input.fill_without_sleeping()) == InputBuffer::Fill::kNothing &&
           Clock::now() < end) {
      for (int i = 0; i < kPausesBetweenLooks; ++i) pause();
    }
    return filled;
  }

  static void pause() noexcept {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  BusyPollSlot& slot_;
  unsigned rest_ = 0;     // waits that are slept through
  unsigned penalty_ = 0;  // the rest after the last miss
};

}  // namespace reprise::blk::nbd
