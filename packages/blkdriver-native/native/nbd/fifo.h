#pragma once

#include <cstddef>

namespace reprise::blk::nbd {

/// First in, first out. What stands in it is linked by its own `next`, so that nothing is
/// allocated, and is in one of them at a time.
template <typename T>
class Fifo {
 public:
  bool empty() const noexcept { return first_ == nullptr; }

  void push(T& item) noexcept {
    item.next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = &item;
    last_ = &item;
  }
  /// Null where nothing is left.
  T* pop() noexcept {
    T* item = first_;
    if (item == nullptr) return nullptr;
    first_ = static_cast<T*>(item->next);
    if (first_ == nullptr) last_ = nullptr;
    return item;
  }

 private:
  T* first_ = nullptr;
  T* last_ = nullptr;
};

}  // namespace reprise::blk::nbd
