// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/outbox.h"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace reprise::vclock {

Outbox::Outbox() : wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_.open()) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Outbox::post(std::span<const std::byte> reply) {
  {
    const std::lock_guard lock(mutex_);
    if (bytes_.size() + reply.size() > kMostBytes)
      overflowed_ = true;
    else
      bytes_.insert(bytes_.end(), reply.begin(), reply.end());
  }
  const std::uint64_t one = 1;
  // The counter can only be full, and then the control thread is awake.
  static_cast<void>(::write(wake_.get(), &one, sizeof one));
}

bool Outbox::send(int socket) {
  std::uint64_t count = 0;
  static_cast<void>(::read(wake_.get(), &count, sizeof count));
  const std::lock_guard lock(mutex_);
  if (overflowed_) return false;
  std::size_t sent = 0;
  while (sent < bytes_.size()) {
    const auto n =
        ::send(socket, bytes_.data() + sent, bytes_.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0)
      sent += static_cast<std::size_t>(n);
    else if (errno == EAGAIN || errno == EWOULDBLOCK)
      break;
    else if (errno != EINTR)
      return false;
  }
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(sent));
  return true;
}

bool Outbox::pending() const {
  const std::lock_guard lock(mutex_);
  return !bytes_.empty() || overflowed_;
}

void Outbox::clear() {
  const std::lock_guard lock(mutex_);
  bytes_.clear();
  overflowed_ = false;
}

}  // namespace reprise::vclock
