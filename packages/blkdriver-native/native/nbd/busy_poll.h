#pragma once

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
/// To sleep and to be woken takes longer than a whole cached request, the more so in a
/// virtual machine, whose processors are woken by their host. A client that waits for
/// one answer sends its next request soon after. So the look lasts up to `kLongestLook`
/// once a wait was that short, and there is none after a wait that was longer: an idle
/// client costs one look, a slow one none.
class BusyPoll {
 public:
  explicit BusyPoll(BusyPollSlot& slot) noexcept : slot_(slot) {}

  /// As `InputBuffer::fill`.
  bool fill(InputBuffer& input) noexcept {
    const auto start = Clock::now();
    auto filled = InputBuffer::Fill::kNothing;
    if (worth_looking_ && slot_.take()) {
      filled = look(input, start + kLongestLook);
      slot_.give_back();
    }
    if (filled != InputBuffer::Fill::kNothing) return filled == InputBuffer::Fill::kBytes;
    const bool more = input.fill();
    worth_looking_ = Clock::now() - start < kLongestLook;
    return more;
  }

 private:
  using Clock = std::chrono::steady_clock;
  static constexpr std::chrono::microseconds kLongestLook{100};
  static constexpr int kPausesBetweenLooks = 16;

  static InputBuffer::Fill look(InputBuffer& input, Clock::time_point end) noexcept {
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
  bool worth_looking_ = true;  // whether the last wait was short
};

}  // namespace reprise::blk::nbd
