// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "control/outbox.h"
#include "control/server.h"
#include "options.h"
#include "qemu/big_lock.h"
#include "qemu/idle_jumps.h"
#include "qemu/plugin_abi.h"
#include "qemu/qemu_guest.h"
#include "qemu/serial_disk.h"
#include "qemu/symbols.h"
#include "session/session.h"

namespace reprise::vclock {
namespace {

#ifdef REPRISE_MUTATIONS
constexpr bool kMutableRules = true;
#else
constexpr bool kMutableRules = false;
#endif

void complain(const std::string& sentence) {
  std::fprintf(stderr, "reprise-vclock: %s\n", sentence.c_str());
}

/** Everything there is, wired together. Made at load; never destroyed, because QEMU never unloads
 * it. */
class Plugin {
 public:
  Plugin(const Symbols& qemu, const Options& options)
      : qemu_(qemu),
        idle_jumps_(qemu_),
        disk_(qemu_, options.mutations.disk_batches),
        guest_(qemu_, idle_jumps_, disk_),
        session_(
            guest_, [this](std::vector<std::byte> reply) { outbox_.post(reply); },
            options.mutations),
        server_(options.socket, outbox_,
                {[this](Request&& request) { handle(std::move(request)); },
                 [this] {
                   const BigLock lock(qemu_);
                   session_.abandon();
                 }}) {
    guest_.on_tick([this] { session_.tick(); });
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  void start() {
    ready_.self = this;
    ready_.notify = [](Notifier* notifier, void*) {
      static_cast<Ready*>(notifier)->self->attach();
    };
    qemu_.qemu_add_machine_init_done_notifier(&ready_);
    // QEMU's signals are for QEMU's threads.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // Not joined: it ends with the process. At exit QEMU holds the lock that the thread may wait
    // for.
    std::thread([this] { server_.run(); }).detach();
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

 private:
  struct Ready : Notifier {
    Plugin* self = nullptr;
  };

  /** The machine is built and has not run. A disk that cannot be tamed is the end: better none than
   * a lie. */
  void attach() {
    idle_jumps_.attach();
    guest_.attach();
    const auto obstacle = disk_.attach();
    if (!obstacle) return;
    complain(*obstacle);
    std::exit(EXIT_FAILURE);
  }

  void handle(Request&& request) {
    const BigLock lock(qemu_);
    session_.handle(std::move(request));
  }

  const Symbols qemu_;
  IdleJumps idle_jumps_;
  SerialDisk disk_;
  QemuGuest guest_;
  Outbox outbox_;
  Session session_;
  Server server_;
  Ready ready_{};
};

int install(std::span<const std::string_view> arguments) {
  const auto options = parse_options(arguments, kMutableRules);
  if (const auto* fault = std::get_if<std::string>(&options)) {
    complain(*fault);
    return -1;
  }
  const auto symbols = resolve_symbols([](const char* name) { return dlsym(RTLD_DEFAULT, name); });
  if (const auto* missing = std::get_if<std::string>(&symbols)) {
    complain("this QEMU does not offer the symbol '" + *missing +
             "', without which a guest cannot run in virtual time; use a build that exports it");
    return -1;
  }
  try {
    auto plugin = std::make_unique<Plugin>(std::get<Symbols>(symbols), std::get<Options>(options));
    plugin.release()->start();
  } catch (const std::exception& error) {
    complain(std::string("it could not listen: ") + error.what());
    return -1;
  }
  return 0;
}

}  // namespace
}  // namespace reprise::vclock

extern "C" {
int qemu_plugin_version = 1;

int qemu_plugin_install(qemu_plugin_id_t, const qemu_info_t*, int argc, char** argv) {
  const std::vector<std::string_view> arguments(argv, argv + argc);
  return reprise::vclock::install(arguments);
}
}
