// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "qemu/symbols.h"

namespace reprise::vclock {

/** Holds QEMU's lock. */
class BigLock {
 public:
  explicit BigLock(const Symbols& qemu) : qemu_(qemu) {
    qemu_.qemu_mutex_lock_iothread_impl(__FILE__, __LINE__);
  }
  BigLock(const BigLock&) = delete;
  BigLock& operator=(const BigLock&) = delete;
  ~BigLock() { qemu_.qemu_mutex_unlock_iothread(); }

 private:
  const Symbols& qemu_;
};

/** Lets go of QEMU's lock for a while. */
class BigUnlock {
 public:
  explicit BigUnlock(const Symbols& qemu) : qemu_(qemu) { qemu_.qemu_mutex_unlock_iothread(); }
  BigUnlock(const BigUnlock&) = delete;
  BigUnlock& operator=(const BigUnlock&) = delete;
  ~BigUnlock() { qemu_.qemu_mutex_lock_iothread_impl(__FILE__, __LINE__); }

 private:
  const Symbols& qemu_;
};

}  // namespace reprise::vclock
