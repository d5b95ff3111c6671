#include "failing_memory.h"

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> fails_from{SIZE_MAX};

}  // namespace

// The test program's own: every allocation of the core goes through here.
void* operator new(std::size_t size) {
  void* memory = size < fails_from.load(std::memory_order_relaxed) ? std::malloc(size) : nullptr;
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace reprise::blk::testing {

FailingMemory::FailingMemory(std::size_t from_bytes) noexcept {
  fails_from = from_bytes;
}

FailingMemory::~FailingMemory() {
  fails_from = SIZE_MAX;
}

}  // namespace reprise::blk::testing
