#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "platform/unique_fd.h"

namespace reprise::blk::nbd {

/// What came from a client and is not used yet. Reads as much as there is, so
/// that several requests cost one system call.
class InputBuffer {
 public:
  static constexpr std::size_t kCapacity = 512 << 10;

  explicit InputBuffer(int socket) : socket_(socket), bytes_(kCapacity) {}

  std::span<const std::byte> available() const noexcept {
    return std::span(bytes_).subspan(begin_, end_ - begin_);
  }
  void consume(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  /// Waits for more bytes. False when the client is gone.
  bool fill() noexcept { return receive(0) == Fill::kBytes; }

  enum class Fill { kBytes, kNothing, kEnd };
  /// Takes what is there already.
  Fill fill_without_sleeping() noexcept;
  /// Makes room for `n` bytes in one piece, counted from the first available one.
  void make_room(std::size_t n) noexcept;

 private:
  Fill receive(int flags) noexcept;

  int socket_;
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Replies on their way to a client, sent together.
class OutputBuffer {
 public:
  static constexpr std::size_t kCapacity = 512 << 10;

  explicit OutputBuffer(int socket) : socket_(socket), bytes_(kCapacity) {}

  /// Room for `n` bytes (at most kCapacity) behind what is pending; sends that
  /// first where needed. The bytes count once `commit` says so. Empty when the
  /// client is gone.
  std::span<std::byte> reserve(std::size_t n) noexcept;
  void commit(std::size_t n) noexcept { end_ += n; }

  /// Sends what is pending, then `payload` from where it stands.
  void send_with(std::span<const std::byte> payload) noexcept;
  void flush() noexcept {
    if (end_ > 0) send_with({});
  }
  bool broken() const noexcept { return broken_; }

 private:
  int socket_;
  std::vector<std::byte> bytes_;
  std::size_t end_ = 0;
  bool broken_ = false;
};

}  // namespace reprise::blk::nbd
