// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/serial_disk.h"

#include <chrono>
#include <cstring>

#include "qemu/request_digest.h"

namespace reprise::vclock {
namespace {

constexpr const char* kDiskType = "virtio-blk-device";
constexpr int kMostQueues = 64;
/** In struct vring_avail: le16 flags, le16 idx. */
constexpr std::uint64_t kAvailIndexOffset = 2;
constexpr int kProbeQueueSize = 8;

/** QEMU calls a handler with the device and the queue only; there is one disk a process. */
SerialDisk* attached = nullptr;

OutputHandler& handler_at(VirtQueue* queue, std::size_t offset) {
  return *reinterpret_cast<OutputHandler*>(reinterpret_cast<std::byte*>(queue) + offset);
}

std::int64_t host_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void probe(VirtIODevice*, VirtQueue*) {}

}  // namespace

std::optional<std::string> SerialDisk::attach() {
  bool ambiguous = false;
  auto* device =
      static_cast<VirtIODevice*>(qemu_.object_resolve_path_type("", kDiskType, &ambiguous));
  if (ambiguous) return "the machine has more than one virtio-blk disk; give it one";
  if (device == nullptr) return "the machine has no virtio-blk disk; give it one";
  const auto offset = handler_offset(device);
  if (!offset)
    return "the disk's handler was not found in this QEMU's VirtQueue; use another build";
  attached = this;
  for (int i = 0; i < kMostQueues && qemu_.virtio_queue_get_num(device, i) != 0; i++) {
    auto& handler = handler_at(qemu_.virtio_get_queue(device, i), *offset);
    handlers_.push_back(handler);
    handler = [](VirtIODevice* d, VirtQueue* q) { attached->kick(d, q); };
  }
  return std::nullopt;
}

/** Where VirtQueue keeps its handler: a queue is added for a moment, and its handler looked for. */
std::optional<std::size_t> SerialDisk::handler_offset(VirtIODevice* device) const {
  const auto* first = reinterpret_cast<const std::byte*>(qemu_.virtio_get_queue(device, 0));
  const auto* second = reinterpret_cast<const std::byte*>(qemu_.virtio_get_queue(device, 1));
  const auto bytes = static_cast<std::size_t>(second - first);
  auto* queue = qemu_.virtio_add_queue(device, kProbeQueueSize, probe);
  std::optional<std::size_t> found;
  bool twice = false;
  for (std::size_t offset = 0; offset + sizeof(OutputHandler) <= bytes; offset += sizeof(void*)) {
    if (handler_at(queue, offset) != probe) continue;
    twice = found.has_value();
    found = offset;
  }
  qemu_.virtio_delete_queue(queue);
  return twice ? std::nullopt : found;
}

void SerialDisk::kick(VirtIODevice* device, VirtQueue* queue) {
  const auto before_ns = host_ns();
  const int index = qemu_.virtio_get_queue_index(queue);
  const auto avail = qemu_.virtio_queue_get_avail_addr(device, index);
  if (batches_ || avail == 0) {
    handlers_.at(static_cast<std::size_t>(index))(device, queue);
    if (!batches_) qemu_.bdrv_drain_all();
  } else {
    serve_singly(device, queue, index, avail);
  }
  held_ns_ += host_ns() - before_ns;
}

/**
 * The device takes all that the ring announces. So the ring announces one request at a time: its
 * index is lowered for the moment of the call, while the guest's only CPU stands in this very
 * instruction.
 */
void SerialDisk::serve_singly(VirtIODevice* device, VirtQueue* queue, int index,
                              std::uint64_t avail) {
  const auto handler = handlers_.at(static_cast<std::size_t>(index));
  const auto at = avail + kAvailIndexOffset;
  std::uint16_t announced = 0;
  qemu_.cpu_physical_memory_rw(at, &announced, sizeof announced, false);
  for (;;) {
    const auto taken =
        static_cast<std::uint16_t>(qemu_.virtio_queue_get_last_avail_idx(device, index));
    if (taken == announced) return;
    auto next = static_cast<std::uint16_t>(taken + 1);
    const bool lowered = next != announced;
    digest_ = folded_request(qemu_, {device, index, avail}, taken, digest_);
    if (lowered) qemu_.cpu_physical_memory_rw(at, &next, sizeof next, true);
    handler(device, queue);
    qemu_.bdrv_drain_all();
    requests_++;
    if (lowered) qemu_.cpu_physical_memory_rw(at, &announced, sizeof announced, true);
    // A device that takes nothing (it was reset, or found the ring broken) would be asked for ever.
    if (static_cast<std::uint16_t>(qemu_.virtio_queue_get_last_avail_idx(device, index)) == taken) {
      return;
    }
  }
}

}  // namespace reprise::vclock
