#pragma once

#include <cstddef>

namespace reprise::blk::testing {

/// While it exists no allocation of so many bytes, or more, succeeds: on no thread.
class FailingMemory {
 public:
  explicit FailingMemory(std::size_t from_bytes) noexcept;
  FailingMemory(const FailingMemory&) = delete;
  FailingMemory& operator=(const FailingMemory&) = delete;
  ~FailingMemory();
};

}  // namespace reprise::blk::testing
