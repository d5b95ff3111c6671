// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace reprise::vclock {

/**
 * What the guest has done so far: the same in a session and in its replay. Counts of frames are
 * those of the card's rings, which are 16 bits wide.
 */
struct Trace {
  std::int64_t instructions = 0;
  std::uint64_t disk_requests = 0;
  /** Of every request's header and of what was to be written, folded in order. */
  std::uint64_t disk_digest = 0;
  std::uint16_t frames_received = 0;
  std::uint16_t frames_sent = 0;
};

/** What tells, at an instant of a session, whether a replay is still the session. */
struct Mark {
  std::int64_t at_ns = 0;
  Trace trace;
  /** Of everything that was injected, and when. */
  std::uint64_t input_digest = 0;
  /** Of all of the guest's memory, each share of it at its own instant since the last mark. */
  std::uint64_t memory_digest = 0;
};

}  // namespace reprise::vclock
