#pragma once

#include <signal.h>
#include <sys/signalfd.h>

#include <cerrno>

#include "error.h"
#include "platform/unique_fd.h"

namespace reprise::blk::xen {

/// Turns the signals that end a program into something to poll for. Before any
/// thread begins, because threads inherit the mask.
inline UniqueFd ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  UniqueFd fd(::signalfd(-1, &set, SFD_CLOEXEC));
  if (!fd) throw_os_error("create", "a signalfd", errno);
  return fd;
}

/// The signal that has come.
inline int take_signal(const UniqueFd& fd) noexcept {
  signalfd_siginfo info{};
  return ::read(fd.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo) : 0;
}

}  // namespace reprise::blk::xen
