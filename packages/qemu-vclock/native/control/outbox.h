// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <mutex>
#include <span>
#include <vector>

#include "control/descriptor.h"

namespace reprise::vclock {

/**
 * Replies on their way to the controller. Posted on whichever thread the guest's clock runs; sent
 * by the control thread, which post() wakes. Bounded: a controller that does not read is cut off.
 */
class Outbox {
 public:
  static constexpr std::size_t kMostBytes = 4U << 20;

  Outbox();

  void post(std::span<const std::byte> reply);

  /** Writes what the socket takes. False: the connection is of no more use. */
  bool send(int socket);

  /** Whether something is left to be sent. */
  [[nodiscard]] bool pending() const;
  /** Readable after post(); send() settles it. */
  [[nodiscard]] int wake_fd() const noexcept { return wake_.get(); }
  void clear();

 private:
  mutable std::mutex mutex_;
  Descriptor wake_;
  std::vector<std::byte> bytes_;
  bool overflowed_ = false;
};

}  // namespace reprise::vclock
