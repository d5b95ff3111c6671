#include "xen/guest_event_channel.h"

#include <fcntl.h>

// Xen's headers are C and do not say so.
extern "C" {
#include <xenevtchn.h>
}

#include <cerrno>
#include <string>

#include "error.h"

namespace reprise::blk::xen {

void GuestEventChannel::Close::operator()(xenevtchn_handle* handle) const noexcept {
  ::xenevtchn_close(handle);
}

GuestEventChannel::GuestEventChannel(std::uint32_t domain, std::uint32_t remote_port)
    : handle_(::xenevtchn_open(nullptr, 0)) {
  if (!handle_) {
    throw Error(ErrorCode::kXenUnavailable,
                "/dev/xen/evtchn cannot be opened. Load the module xen-evtchn and run this as root "
                "in dom0.",
                "/dev/xen/evtchn", errno);
  }
  // `take` must not sleep for an event that another look has already taken.
  const int flags = ::fcntl(fd(), F_GETFL);
  const int port = flags < 0 || ::fcntl(fd(), F_SETFL, flags | O_NONBLOCK) < 0
                       ? -1
                       : ::xenevtchn_bind_interdomain(handle_.get(), domain, remote_port);
  if (port < 0) {
    throw Error(ErrorCode::kXenFailed,
                "Event channel " + std::to_string(remote_port) + " of domain " +
                    std::to_string(domain) +
                    " cannot be bound. Restart the guest's block driver, or the guest.",
                {}, errno);
  }
  port_ = static_cast<std::uint32_t>(port);
}

int GuestEventChannel::fd() const noexcept {
  return ::xenevtchn_fd(handle_.get());
}

bool GuestEventChannel::take() noexcept {
  const int port = ::xenevtchn_pending(handle_.get());
  if (port < 0) return errno == EAGAIN || errno == EINTR;
  return ::xenevtchn_unmask(handle_.get(), static_cast<std::uint32_t>(port)) == 0;
}

void GuestEventChannel::notify() noexcept {
  (void)::xenevtchn_notify(handle_.get(), port_);
}

}  // namespace reprise::blk::xen
