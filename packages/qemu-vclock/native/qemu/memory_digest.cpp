// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/memory_digest.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <utility>

#include "digest.h"

namespace reprise::vclock {
namespace {

constexpr std::size_t kPageBytes = 4096;

bool is_zero(std::span<const std::byte, kPageBytes> page) {
  // Equal to itself one byte on: then all bytes are the first.
  return page[0] == std::byte{0} && std::memcmp(page.data(), page.data() + 1, kPageBytes - 1) == 0;
}

std::uint64_t digest_pages(const std::byte* bytes, std::size_t first, std::size_t count) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < count; i++) {
    const std::span<const std::byte, kPageBytes> page(bytes + i * kPageBytes, kPageBytes);
    if (!is_zero(page)) sum += folded(first + i, page);
  }
  return sum;
}

/** The file under a description of our own: a position that we move is nobody else's. */
Descriptor reopened(int fd) {
  if (fd < 0) return {};
  const auto path = "/proc/self/fd/" + std::to_string(fd);
  return Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

/** The next stretch of pages that the file has, in [from, to); empty at `to`: there is none. */
std::pair<std::size_t, std::size_t> next_stretch(int file, std::size_t from, std::size_t to) {
  const auto data = ::lseek(file, static_cast<off_t>(from * kPageBytes), SEEK_DATA);
  // Nothing but a hole up to the end; any other fault: a file system without holes.
  if (data < 0) return errno == ENXIO ? std::pair{to, to} : std::pair{from, to};
  const auto hole = ::lseek(file, data, SEEK_HOLE);
  const auto begin = static_cast<std::size_t>(data) / kPageBytes;
  const auto end = hole < 0 ? to : (static_cast<std::size_t>(hole) + kPageBytes - 1) / kPageBytes;
  return {std::clamp(begin, from, to), std::min(end, to)};
}

}  // namespace

void MemoryDigest::attach() {
  qemu_.qemu_ram_foreach_block(
      [](RAMBlock* block, void* self) {
        static_cast<MemoryDigest*>(self)->add(block);
        return 0;
      },
      this);
}

void MemoryDigest::add(RAMBlock* block) {
  Block added;
  added.bytes = static_cast<const std::byte*>(qemu_.qemu_ram_get_host_addr(block));
  added.pages = qemu_.qemu_ram_get_used_length(block) / kPageBytes;
  added.first = pages_;
  added.file = reopened(qemu_.qemu_ram_get_fd(block));
  if (added.bytes == nullptr) return;
  pages_ += added.pages;
  blocks_.push_back(std::move(added));
}

std::uint64_t MemoryDigest::share(std::size_t share, std::size_t shares) const {
  const auto from = pages_ * share / shares;
  const auto to = pages_ * (share + 1) / shares;
  std::uint64_t sum = 0;
  for (const auto& block : blocks_) {
    const auto begin = std::max(from, block.first);
    const auto end = std::min(to, block.first + block.pages);
    if (begin < end) sum += digest(block, begin - block.first, end - block.first);
  }
  return sum;
}

std::uint64_t MemoryDigest::digest(const Block& block, std::size_t from, std::size_t to) {
  std::uint64_t sum = 0;
  while (from < to) {
    const auto [begin, end] =
        block.file.open() ? next_stretch(block.file.get(), from, to) : std::pair{from, to};
    if (begin >= end) break;
    sum += digest_pages(block.bytes + begin * kPageBytes, block.first + begin, end - begin);
    from = end;
  }
  return sum;
}

}  // namespace reprise::vclock
