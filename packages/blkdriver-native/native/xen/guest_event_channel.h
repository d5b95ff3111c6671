#pragma once

#include <cstdint>
#include <memory>

struct xenevtchn_handle;

namespace reprise::blk::xen {

/// One end of an event channel to a guest. The other end, and its number, are the guest's.
class GuestEventChannel {
 public:
  /// Throws Error: kXenUnavailable where there is no such device, kXenFailed where
  /// the guest's port is not for us.
  GuestEventChannel(std::uint32_t domain, std::uint32_t remote_port);

  /// Readable when an event waits.
  int fd() const noexcept;
  /// Takes the events that wait; false where the channel does not work any more.
  bool take() noexcept;
  /// A guest that is gone cannot be woken; that is found out elsewhere.
  void notify() noexcept;

 private:
  struct Close {
    void operator()(xenevtchn_handle* handle) const noexcept;
  };
  std::unique_ptr<xenevtchn_handle, Close> handle_;  // closing unbinds
  std::uint32_t port_ = 0;
};

}  // namespace reprise::blk::xen
