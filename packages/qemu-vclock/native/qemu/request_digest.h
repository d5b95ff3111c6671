// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

#include "qemu/symbols.h"

namespace reprise::vclock {

/** One queue of a virtio device, as it stands in the guest's memory. */
struct Ring {
  VirtIODevice* device = nullptr;
  int queue = 0;
  std::uint64_t avail = 0;
};

/**
 * Folds the request at place `index` of the ring into `before`: all that the device will read (what
 * is asked, where, and the data of a write), and how much it may answer.
 */
std::uint64_t folded_request(const Symbols& qemu, const Ring& ring, std::uint16_t index,
                             std::uint64_t before);

}  // namespace reprise::vclock
