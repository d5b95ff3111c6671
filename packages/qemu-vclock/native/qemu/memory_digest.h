// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "control/descriptor.h"
#include "qemu/symbols.h"

namespace reprise::vclock {

/**
 * Digests of the guest's memory, its display's included, page by page. A page of zeros counts for
 * nothing, so that one which the host never had to give is not asked for: reading it would take
 * memory.
 */
class MemoryDigest {
 public:
  explicit MemoryDigest(const Symbols& qemu) : qemu_(qemu) {}
  MemoryDigest(const MemoryDigest&) = delete;
  MemoryDigest& operator=(const MemoryDigest&) = delete;

  /** The machine must be built. */
  void attach();

  /** Of the pages of one of `shares` parts. */
  [[nodiscard]] std::uint64_t share(std::size_t share, std::size_t shares) const;

 private:
  struct Block {
    const std::byte* bytes = nullptr;
    std::size_t pages = 0;
    /** The number of its first page among all. */
    std::size_t first = 0;
    /** Its file, which knows its holes; closed where there is none. */
    Descriptor file;
  };

  void add(RAMBlock* block);
  [[nodiscard]] static std::uint64_t digest(const Block& block, std::size_t from, std::size_t to);

  const Symbols& qemu_;
  std::vector<Block> blocks_;
  std::size_t pages_ = 0;
};

}  // namespace reprise::vclock
