// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/idle_guard.h"

namespace reprise::vclock {
namespace {

constexpr int kClockVirtual = 1;
constexpr int kAllTimers = -1;

/** Work for its own sake: a CPU that has some is not idle. */
void nothing(CPUState*, RunOnCpuData) {}

}  // namespace

void IdleGuard::attach() {
  cpu_ = qemu_.qemu_get_cpu(0);
  notifier_.self = this;
  notifier_.notify = [](Notifier* notifier, void*) {
    static_cast<BeforeLooking*>(notifier)->self->before_looking();
  };
  qemu_.main_loop_poll_add_notifier(&notifier_);
}

/** On the main loop's thread, with QEMU's lock, immediately before it considers a jump. */
void IdleGuard::before_looking() {
  if (!qemu_.runstate_is_running()) return;
  parked_ = false;
  if (!held_ && qemu_.all_cpu_threads_idle()) {
    const auto look_there = [](CPUState* cpu, RunOnCpuData data) {
      static_cast<IdleGuard*>(data.pointer)->look(cpu);
    };
    qemu_.run_on_cpu(cpu_, look_there, RunOnCpuData{this});
  }
  if (!parked_) qemu_.async_run_on_cpu(cpu_, nothing, RunOnCpuData{nullptr});
}

/** On the CPU's own thread, between two stretches of instructions: all of them are counted here. */
void IdleGuard::look(CPUState* cpu) {
  // A CPU that stops is idle too, as QEMU sees it.
  parked_ = !held_ && qemu_.all_cpu_threads_idle() &&
            qemu_.qemu_clock_deadline_ns_all(kClockVirtual, kAllTimers) != 0;
  // Its thread goes to sleep now, without another look at what there is to execute.
  if (parked_) qemu_.cpu_exit(cpu);
}

}  // namespace reprise::vclock
