// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "qemu/symbols.h"

namespace reprise::vclock {

/**
 * Keeps the virtual clock from jumping too early. Where guests do not sleep, QEMU's main loop moves
 * the clock of an idle CPU to its next timer. But a CPU looks idle from the moment it executes HLT,
 * and its last instructions are added to the clock a moment later, on its own thread: a main loop
 * that comes between reckons the jump from a clock that is behind, and the guest is late by as
 * much. It is rare, and happens under load. So before the main loop looks, the CPU's thread is
 * brought to a place where everything is counted, and held there; and if the CPU is not idle after
 * all, it is made to look busy until the next turn.
 */
class IdleGuard {
 public:
  explicit IdleGuard(const Symbols& qemu) : qemu_(qemu) {}
  IdleGuard(const IdleGuard&) = delete;
  IdleGuard& operator=(const IdleGuard&) = delete;

  /** The machine's CPU must exist. */
  void attach();

  /** The guest was told to stop: from now on its clock does not jump at all. */
  void hold() noexcept { held_ = true; }

 private:
  struct BeforeLooking : Notifier {
    IdleGuard* self = nullptr;
  };

  void before_looking();
  void look(CPUState* cpu);

  const Symbols& qemu_;
  BeforeLooking notifier_{};
  CPUState* cpu_ = nullptr;
  bool parked_ = false;
  bool held_ = false;
};

}  // namespace reprise::vclock
