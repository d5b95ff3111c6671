// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "qemu/symbols.h"

namespace reprise::vclock {

/**
 * Completes each request of the guest's disk inside the instruction that announced it, one after
 * the other. QEMU would hand them to its main loop and raise the interrupt when the host's disk is
 * done: at an instant that no two runs share.
 */
class SerialDisk {
 public:
  explicit SerialDisk(const Symbols& qemu, bool batches) : qemu_(qemu), batches_(batches) {}
  SerialDisk(const SerialDisk&) = delete;
  SerialDisk& operator=(const SerialDisk&) = delete;

  /**
   * Takes the place of the handlers of the machine's one virtio-blk device, which must exist. A
   * sentence when that cannot be done.
   */
  std::optional<std::string> attach();

  [[nodiscard]] std::uint64_t requests() const noexcept { return requests_; }
  /** Of all requests so far, in their order. */
  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }
  /** Host time that the guest stood still for its disk. */
  [[nodiscard]] std::int64_t held_ns() const noexcept { return held_ns_; }

 private:
  void kick(VirtIODevice* device, VirtQueue* queue);
  void serve_singly(VirtIODevice* device, VirtQueue* queue, int index, std::uint64_t avail);
  std::optional<std::size_t> handler_offset(VirtIODevice* device) const;

  const Symbols& qemu_;
  bool batches_;
  std::vector<OutputHandler> handlers_;
  std::uint64_t requests_ = 0;
  std::uint64_t digest_ = 0;
  std::int64_t held_ns_ = 0;
};

}  // namespace reprise::vclock
