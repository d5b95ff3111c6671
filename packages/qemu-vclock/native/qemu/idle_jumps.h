// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "qemu/symbols.h"

namespace reprise::vclock {

/**
 * Where guests do not sleep, the clock of an idle CPU jumps to its next timer. QEMU's main loop
 * does that, and may come too early: a CPU looks idle from the moment it executes HLT, but its last
 * instructions are added to the clock a moment later, on its own thread. A jump in between is
 * reckoned from a clock that is behind, and the guest is late by as much. So here the CPU's own
 * thread makes the jumps, where everything is counted: the main loop, each time before it would
 * look for an idle CPU, gives that thread a piece of work, and a CPU that has work does not look
 * idle.
 *
 * A CPU that is stopped looks idle, too: while the machine is reset, and once it was told to stop
 * for good. How long that lasts is the host's affair, so the clock stands still meanwhile.
 */
class IdleJumps {
 public:
  explicit IdleJumps(const Symbols& qemu) : qemu_(qemu) {}
  IdleJumps(const IdleJumps&) = delete;
  IdleJumps& operator=(const IdleJumps&) = delete;

  /** The machine's CPU must exist. */
  void attach();

  /** The guest is told to stop. */
  void end() noexcept { ended_ = true; }

 private:
  struct MainLoopTurn : Notifier {
    IdleJumps* self = nullptr;
  };

  void before_main_loop_looks();

  void jump_if_idle();

  const Symbols& qemu_;
  MainLoopTurn turn_{};
  CPUState* cpu_ = nullptr;
  bool ended_ = false;
};

}  // namespace reprise::vclock
