#pragma once

#include <cstdint>
#include <string_view>

namespace reprise::blk::xen {

/// The states that both ends of a device show each other in xenstore.
enum class XenbusState : std::uint8_t {
  kUnknown = 0,
  kInitialising = 1,
  kInitWait = 2,
  kInitialised = 3,
  kConnected = 4,
  kClosing = 5,
  kClosed = 6,
};

/// All that the next step depends on.
struct Situation {
  bool frontend_there = true;  ///< its node exists: the domain lives and has the device
  bool backend_there = true;   ///< ours exists: the toolstack has not swept up
  XenbusState frontend = XenbusState::kUnknown;
  /// Ours, as it stands there: the toolstack sets it to Closing when it takes a device away.
  XenbusState backend = XenbusState::kUnknown;
  bool connected = false;  ///< the ring is mapped
  bool online = true;      ///< the toolstack wants the device to stay
};

/// What a backend does next.
enum class Step : std::uint8_t {
  kWait,
  kOffer,    ///< publish what we can, InitWait
  kConnect,  ///< map the ring, bind the event channel, Connected
  kClosing,  ///< unmap the ring, Closing
  kClosed,   ///< unmap the ring, Closed; the frontend may come again
  kEnd,      ///< unmap the ring, Closed; nobody will come again
};

/// The backend's half of the handshake of xen/include/public/io/blkif.h, as a pure
/// function. A frontend that shows states in an absurd order is made to wait or
/// disconnected, nothing worse.
Step next_step(const Situation& now) noexcept;

}  // namespace reprise::blk::xen
