// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/qemu_guest.h"

#include <chrono>
#include <thread>
#include <type_traits>

#include "qemu/big_lock.h"

namespace reprise::vclock {
namespace {

// Values of QEMU's enumerations, which are part of its management interface or have not changed
// since 2.0.
constexpr int kClockVirtual = 1;
constexpr int kScaleNs = 1;
constexpr int kRunStatePaused = 4;
constexpr int kAxisX = 0;
constexpr int kAxisY = 1;
/** RFB's bits 0 to 7: left, middle, right, wheel up, down, left, right, side. */
constexpr std::array<int, 8> kButtonOfBit{0, 1, 2, 3, 4, 7, 8, 5};
constexpr const char* kNetDevice = "net0";
constexpr const char* kNetType = "virtio-net-device";
constexpr int kReceiveQueue = 0;
constexpr int kSendQueue = 1;

}  // namespace

QemuGuest::QemuGuest(const Symbols& qemu, IdleJumps& jumps, const SerialDisk& disk)
    : qemu_(qemu), jumps_(jumps), disk_(disk), memory_(qemu) {
  qemu_.timer_init_full(
      timer_.data(), nullptr, kClockVirtual, kScaleNs, 0,
      [](void* self) { static_cast<QemuGuest*>(self)->tick_(); }, this);
}

void QemuGuest::attach() {
  memory_.attach();
  network_ = static_cast<VirtIODevice*>(qemu_.object_resolve_path_type("", kNetType, nullptr));
}

std::int64_t QemuGuest::now_ns() {
  return qemu_.qemu_clock_get_ns(kClockVirtual);
}

void QemuGuest::wake_at(std::int64_t virtual_ns) {
  qemu_.timer_mod(timer_.data(), virtual_ns);
}

void QemuGuest::inject(const Event& event) {
  if (const auto* key = std::get_if<KeyEvent>(&event)) {
    qemu_.qemu_input_event_send_key_number(nullptr, static_cast<int>(key->number), key->down);
  } else if (const auto* pointer = std::get_if<PointerEvent>(&event)) {
    inject_pointer(*pointer);
  } else if (const auto* frame = std::get_if<FrameEvent>(&event)) {
    inject_frame(*frame);
  }
}

void QemuGuest::inject_pointer(const PointerEvent& pointer) {
  qemu_.qemu_input_queue_abs(nullptr, kAxisX, pointer.x, 0, kMostAxis);
  qemu_.qemu_input_queue_abs(nullptr, kAxisY, pointer.y, 0, kMostAxis);
  const auto changed = static_cast<unsigned>(buttons_ ^ pointer.buttons);
  for (std::size_t bit = 0; bit < kButtonOfBit.size(); bit++) {
    if ((changed >> bit & 1U) == 0) continue;
    qemu_.qemu_input_queue_btn(nullptr, kButtonOfBit[bit], (pointer.buttons >> bit & 1U) != 0);
  }
  buttons_ = pointer.buttons;
  qemu_.qemu_input_event_sync();
}

void QemuGuest::inject_frame(const FrameEvent& frame) {
  auto* device = qemu_.qemu_find_netdev(kNetDevice);
  if (device == nullptr) return;
  qemu_.qemu_send_packet(device, reinterpret_cast<const std::uint8_t*>(frame.bytes.data()),
                         static_cast<int>(frame.bytes.size()));
}

void QemuGuest::stop() {
  // On the CPU's own thread a stop is only requested; until the main loop comes to it, a CPU that
  // stops looks idle.
  jumps_.end();
  qemu_.vm_stop(kRunStatePaused);
}

Trace QemuGuest::trace() {
  const auto taken = [this](int queue) {
    return network_ == nullptr
               ? std::uint16_t{0}
               : static_cast<std::uint16_t>(qemu_.virtio_queue_get_last_avail_idx(network_, queue));
  };
  return {qemu_.icount_get_raw(), disk_.requests(), disk_.digest(), taken(kReceiveQueue),
          taken(kSendQueue)};
}

std::uint64_t QemuGuest::memory_digest(std::size_t share, std::size_t shares) {
  return memory_.share(share, shares);
}

std::int64_t QemuGuest::disk_held_ns() {
  return disk_.held_ns();
}

std::int64_t QemuGuest::host_ns() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
}

void QemuGuest::rest_ns(std::int64_t ns) {
  const BigUnlock unlocked(qemu_);
  std::this_thread::sleep_for(std::chrono::nanoseconds(ns));
}

}  // namespace reprise::vclock
