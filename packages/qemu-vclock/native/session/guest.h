// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>

#include "session/event.h"
#include "session/mark.h"

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
  /** What it has done since it was powered on. */
  virtual Trace trace() = 0;
  /** A digest of one of `shares` parts of the guest's memory as it is now; equal memory has equal
   * ones. */
  virtual std::uint64_t memory_digest(std::size_t share, std::size_t shares) = 0;
  /** Host time that the guest stood still for its disk. */
  virtual std::int64_t disk_held_ns() = 0;
  virtual std::int64_t host_ns() = 0;
  /** Waits with QEMU's lock released. */
  virtual void rest_ns(std::int64_t ns) = 0;
};

}  // namespace reprise::vclock
