// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <variant>

#include "control/descriptor.h"
#include "control/frame_buffer.h"
#include "control/message.h"
#include "control/outbox.h"

namespace reprise::vclock {

/** What the server does with what it hears. Called on the server's thread; `request` may throw, and
 * then the controller is hung up on. */
struct Handlers {
  std::function<void(Request&&)> request;
  /** The controller went away. */
  std::function<void()> gone;
};

/** Listens on a unix socket and serves one controller at a time; a second one is turned away. */
class Server {
 public:
  /** Listens at once. Throws std::system_error. */
  Server(const std::string& path, Outbox& outbox, Handlers handlers);

  /** Serves until close(). */
  void run();

  /** Ends run(), from any thread. */
  void close() noexcept;

 private:
  /** False: the system cannot take a visitor in now. */
  bool welcome();
  void hear();
  void hang_up();

  Outbox& outbox_;
  Handlers handlers_;
  Descriptor listener_;
  Descriptor controller_;
  FrameBuffer incoming_;
};

}  // namespace reprise::vclock
