// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <variant>

namespace reprise::vclock {

/** Types of QEMU's that are only ever pointed to. */
struct VirtIODevice;
struct VirtQueue;
struct BlockBackend;
struct NetClientState;
struct CPUState;
struct RAMBlock;

using BlockVisit = int (*)(RAMBlock*, void*);

/** QEMU's union run_on_cpu_data, of which only the pointer is used. */
union RunOnCpuData {
  void* pointer;
};
using CpuWork = void (*)(CPUState*, RunOnCpuData);

using OutputHandler = void (*)(VirtIODevice*, VirtQueue*);

/** QEMU's struct Notifier: a callback and its place in a list. */
struct Notifier {
  void (*notify)(Notifier*, void*);
  void* list[2];
};

/**
 * The functions of QEMU that the plugin interface does not offer. Each line: result, name,
 * parameters. They are looked up by name at load, so that a QEMU that lacks one is refused instead
 * of crashed.
 */
#define REPRISE_QEMU_SYMBOLS(F)                                                    \
  F(std::int64_t, qemu_clock_get_ns, (int))                                        \
  F(void, timer_init_full, (void*, void*, int, int, int, void (*)(void*), void*))  \
  F(void, timer_mod, (void*, std::int64_t))                                        \
  F(void, qemu_mutex_lock_iothread_impl, (const char*, int))                       \
  F(void, qemu_mutex_unlock_iothread, ())                                          \
  F(int, vm_stop, (int))                                                           \
  F(std::int64_t, icount_get_raw, ())                                              \
  F(void, qemu_input_event_send_key_number, (void*, int, bool))                    \
  F(void, qemu_input_queue_abs, (void*, int, int, int, int))                       \
  F(void, qemu_input_queue_btn, (void*, int, bool))                                \
  F(void, qemu_input_event_sync, ())                                               \
  F(NetClientState*, qemu_find_netdev, (const char*))                              \
  F(std::ptrdiff_t, qemu_send_packet, (NetClientState*, const std::uint8_t*, int)) \
  F(void, qemu_add_machine_init_done_notifier, (Notifier*))                        \
  F(void*, object_resolve_path_type, (const char*, const char*, bool*))            \
  F(VirtQueue*, virtio_add_queue, (VirtIODevice*, int, OutputHandler))             \
  F(void, virtio_delete_queue, (VirtQueue*))                                       \
  F(VirtQueue*, virtio_get_queue, (VirtIODevice*, int))                            \
  F(int, virtio_get_queue_index, (VirtQueue*))                                     \
  F(int, virtio_queue_get_num, (VirtIODevice*, int))                               \
  F(std::uint64_t, virtio_queue_get_avail_addr, (VirtIODevice*, int))              \
  F(std::uint64_t, virtio_queue_get_desc_addr, (VirtIODevice*, int))               \
  F(unsigned, virtio_queue_get_last_avail_idx, (VirtIODevice*, int))               \
  F(void, cpu_physical_memory_rw, (std::uint64_t, void*, std::uint64_t, bool))     \
  F(int, qemu_ram_foreach_block, (BlockVisit, void*))                              \
  F(void*, qemu_ram_get_host_addr, (RAMBlock*))                                    \
  F(std::uint64_t, qemu_ram_get_used_length, (RAMBlock*))                          \
  F(int, qemu_ram_get_fd, (RAMBlock*))                                             \
  F(void, main_loop_poll_add_notifier, (Notifier*))                                \
  F(CPUState*, qemu_get_cpu, (int))                                                \
  F(bool, runstate_is_running, ())                                                 \
  F(bool, cpu_is_stopped, (CPUState*))                                             \
  F(void, async_run_on_cpu, (CPUState*, CpuWork, RunOnCpuData))                    \
  F(void, icount_start_warp_timer, ())                                             \
  F(void, bdrv_drain_all, ())

struct Symbols {
#define REPRISE_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  REPRISE_QEMU_SYMBOLS(REPRISE_DECLARE)
#undef REPRISE_DECLARE
};

/** Finds a symbol by name; null: there is none. */
using Lookup = std::function<void*(const char* name)>;

/** All of them, or the name of the first that is missing. */
std::variant<Symbols, std::string> resolve_symbols(const Lookup& lookup);

}  // namespace reprise::vclock
