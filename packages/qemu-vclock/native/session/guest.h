// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "session/event.h"

namespace reprise::vclock {

/** What a session needs of the guest and its host. QEMU's lock is held at every call. */
class Guest {
 public:
  Guest() = default;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  virtual ~Guest() = default;

  /** The guest's virtual clock. */
  virtual std::int64_t now_ns() = 0;
  /** Calls the session's tick() when the virtual clock reaches this; one appointment at a time. */
  virtual void wake_at(std::int64_t virtual_ns) = 0;
  virtual void inject(const Event& event) = 0;
  /** Stops the guest where it stands: not one instruction more, and its clock stands still. */
  virtual void stop() = 0;
  virtual std::int64_t host_ns() = 0;
  /** Waits with QEMU's lock released. */
  virtual void rest_ns(std::int64_t ns) = 0;
};

}  // namespace reprise::vclock
