// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstdint>

namespace reprise::vclock {

/**
 * Holds virtual time back to real time. A host that is too slow is not chased: what it lost is
 * written off as lag, because a guest that runs fast to catch up is worse to work with than one
 * that is late.
 */
class Pacer {
 public:
  void start(std::int64_t real_ns, std::int64_t virtual_ns) noexcept {
    ahead_of_real_ns_ = virtual_ns - real_ns;
    lag_ns_ = 0;
  }

  /** How long to wait so that virtual time is not ahead of real time. */
  std::int64_t wait_ns(std::int64_t real_ns, std::int64_t virtual_ns) noexcept {
    const std::int64_t ahead_ns = virtual_ns - real_ns - ahead_of_real_ns_;
    if (ahead_ns >= -kForgivenNs) return std::max<std::int64_t>(ahead_ns, 0);
    lag_ns_ += -ahead_ns;
    ahead_of_real_ns_ += ahead_ns;
    return 0;
  }

  /** What was written off since the start. */
  [[nodiscard]] std::int64_t lag_ns() const noexcept { return lag_ns_; }

 private:
  /** A hiccup of this length is caught up: it is shorter than a person notices. */
  static constexpr std::int64_t kForgivenNs = 40'000'000;

  std::int64_t ahead_of_real_ns_ = 0;
  std::int64_t lag_ns_ = 0;
};

}  // namespace reprise::vclock
