// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/request_digest.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "digest.h"

namespace reprise::vclock {
namespace {

/** struct vring_desc. */
struct Descriptor16 {
  std::uint64_t address;
  std::uint32_t length;
  std::uint16_t flags;
  std::uint16_t next;
};
static_assert(sizeof(Descriptor16) == 16);

constexpr std::uint16_t kHasNext = 1;
constexpr std::uint16_t kDeviceWrites = 2;
constexpr std::uint16_t kIndirect = 4;
/** In struct vring_avail: le16 flags, le16 idx, then the ring. */
constexpr std::uint64_t kRingOffset = 4;
/** A chain is no longer than this in virtio; a guest that makes a circle is cut off. */
constexpr int kMostDescriptors = 1024;
/** Of one request's data; more than any driver sends. */
constexpr std::uint64_t kMostBytes = 64U << 20;

class Folder {
 public:
  Folder(const Symbols& qemu, std::uint64_t before) : qemu_(qemu), digest_(before) {}

  void chain(std::uint64_t table, std::uint64_t entries, std::uint64_t head, bool inner) {
    for (std::uint64_t at = head; at < entries && budget_-- > 0;) {
      Descriptor16 descriptor{};
      read(table + at * sizeof descriptor, std::as_writable_bytes(std::span(&descriptor, 1)));
      if ((descriptor.flags & kIndirect) != 0) {
        if (inner) return;
        return chain(descriptor.address, descriptor.length / sizeof descriptor, 0, true);
      }
      buffer(descriptor);
      if ((descriptor.flags & kHasNext) == 0) return;
      at = descriptor.next;
    }
  }

  [[nodiscard]] std::uint64_t digest() const noexcept { return digest_; }

 private:
  void buffer(const Descriptor16& descriptor) {
    digest_ = folded(digest_, std::as_bytes(std::span(&descriptor.length, 1)));
    if ((descriptor.flags & kDeviceWrites) != 0) return;
    std::uint64_t left = std::min<std::uint64_t>(descriptor.length, kMostBytes - bytes_);
    bytes_ += left;
    for (std::uint64_t at = descriptor.address; left > 0;) {
      const auto part = std::span(piece_).first(
          static_cast<std::size_t>(std::min<std::uint64_t>(left, piece_.size())));
      read(at, part);
      digest_ = folded(digest_, part);
      at += part.size();
      left -= part.size();
    }
  }

  void read(std::uint64_t address, std::span<std::byte> into) const {
    qemu_.cpu_physical_memory_rw(address, into.data(), into.size(), false);
  }

  const Symbols& qemu_;
  std::uint64_t digest_;
  int budget_ = kMostDescriptors;
  std::uint64_t bytes_ = 0;
  std::array<std::byte, 16 * 1024> piece_;
};

}  // namespace

std::uint64_t folded_request(const Symbols& qemu, const Ring& ring, std::uint16_t index,
                             std::uint64_t before) {
  const auto entries =
      static_cast<std::uint64_t>(qemu.virtio_queue_get_num(ring.device, ring.queue));
  const auto table = qemu.virtio_queue_get_desc_addr(ring.device, ring.queue);
  if (entries == 0 || table == 0) return before;
  std::uint16_t head = 0;
  qemu.cpu_physical_memory_rw(ring.avail + kRingOffset + 2 * (index % entries), &head, sizeof head,
                              false);
  Folder folder(qemu, before);
  folder.chain(table, entries, head, false);
  return folder.digest();
}

}  // namespace reprise::vclock
