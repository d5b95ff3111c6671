#include "nbd/stream.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

namespace reprise::blk::nbd {

InputBuffer::Fill InputBuffer::fill_without_sleeping() noexcept {
  return receive(MSG_DONTWAIT);
}

InputBuffer::Fill InputBuffer::receive(int flags) noexcept {
  if (end_ == bytes_.size()) make_room(bytes_.size());
  ssize_t n;
  do {
    n = ::recv(socket_, bytes_.data() + end_, bytes_.size() - end_, flags);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && (flags & MSG_DONTWAIT) != 0 && errno == EAGAIN) return Fill::kNothing;
  if (n <= 0) return Fill::kEnd;
  end_ += static_cast<std::size_t>(n);
  return Fill::kBytes;
}

void InputBuffer::make_room(std::size_t n) noexcept {
  if (bytes_.size() - begin_ >= n) return;
  std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
}

std::span<std::byte> OutputBuffer::reserve(std::size_t n) noexcept {
  if (bytes_.size() - end_ < n) flush();
  if (broken_) return {};
  return std::span(bytes_).subspan(end_, n);
}

void OutputBuffer::send_with(std::span<const std::byte> payload) noexcept {
  iovec parts[2] = {{bytes_.data(), end_},
                    {const_cast<std::byte*>(payload.data()), payload.size()}};
  std::size_t left = end_ + payload.size();
  end_ = 0;
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  while (left > 0 && !broken_) {
    ssize_t n = ::sendmsg(socket_, &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      broken_ = true;
      return;
    }
    left -= static_cast<std::size_t>(n);
    for (iovec& part : parts) {
      const std::size_t sent = std::min(part.iov_len, static_cast<std::size_t>(n));
      part.iov_base = static_cast<std::byte*>(part.iov_base) + sent;
      part.iov_len -= sent;
      n -= static_cast<ssize_t>(sent);
    }
  }
}

}  // namespace reprise::blk::nbd
