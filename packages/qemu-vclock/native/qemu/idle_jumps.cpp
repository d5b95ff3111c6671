// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/idle_jumps.h"

namespace reprise::vclock {

void IdleJumps::attach() {
  cpu_ = qemu_.qemu_get_cpu(0);
  turn_.self = this;
  turn_.notify = [](Notifier* turn, void*) {
    static_cast<MainLoopTurn*>(turn)->self->before_main_loop_looks();
  };
  qemu_.main_loop_poll_add_notifier(&turn_);
}

/** On the main loop's thread, which holds QEMU's lock from here until it has looked. */
void IdleJumps::before_main_loop_looks() {
  // A guest that stands has no timers, and its CPU's thread is to be left asleep.
  if (!qemu_.runstate_is_running()) return;
  const auto work = [](CPUState*, RunOnCpuData data) {
    static_cast<IdleJumps*>(data.pointer)->jump_if_idle();
  };
  qemu_.async_run_on_cpu(cpu_, work, RunOnCpuData{this});
}

void IdleJumps::jump_if_idle() {
  if (ended_ || qemu_.cpu_is_stopped(cpu_)) return;
  qemu_.icount_start_warp_timer();
}

}  // namespace reprise::vclock
