#include "xen/xenbus_state.h"

namespace reprise::blk::xen {

Step next_step(const Situation& now) noexcept {
  if (!now.frontend_there || !now.backend_there) return Step::kEnd;
  switch (now.frontend) {
    case XenbusState::kInitialising:
      // Also after a close: a guest that loads its driver again, or boots another kernel.
      if (now.backend == XenbusState::kUnknown || now.backend == XenbusState::kInitialising ||
          now.backend == XenbusState::kClosed) {
        return Step::kOffer;
      }
      return Step::kWait;
    case XenbusState::kInitialised:
    case XenbusState::kConnected:
      // A frontend that skips InitWait uses the defaults, but the offer has to stand somewhere.
      if (now.backend == XenbusState::kUnknown || now.backend == XenbusState::kInitialising) {
        return Step::kOffer;
      }
      if (now.backend == XenbusState::kInitWait && !now.connected) return Step::kConnect;
      return Step::kWait;
    case XenbusState::kClosing:
      return !now.connected &&
                     (now.backend == XenbusState::kClosing || now.backend == XenbusState::kClosed)
                 ? Step::kWait
                 : Step::kClosing;
    case XenbusState::kUnknown:
    case XenbusState::kClosed:
      if (!now.online) return Step::kEnd;
      return now.backend == XenbusState::kClosed ? Step::kWait : Step::kClosed;
    case XenbusState::kInitWait:
      break;  // a state of backends
  }
  return Step::kWait;
}

}  // namespace reprise::blk::xen
