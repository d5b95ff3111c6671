// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstddef>
#include <cstdint>
#include <span>
#include <variant>

#include "control/frame_buffer.h"
#include "control/message.h"
#include "session/session.h"

namespace {

using namespace reprise::vclock;

/** A guest for which every appointment comes at once. */
class HastyGuest final : public Guest {
 public:
  std::int64_t now_ns() override { return now_; }
  void wake_at(std::int64_t at) override { appointment_ = at; }
  void inject(const Event&) override {}
  void stop() override { appointment_ = 0; }
  Trace trace() override { return {}; }
  std::uint64_t memory_digest(std::size_t, std::size_t) override { return 0; }
  std::int64_t disk_held_ns() override { return 0; }
  std::int64_t host_ns() override { return now_; }
  void rest_ns(std::int64_t) override {}

  void pass(Session& session) {
    if (appointment_ <= now_) return;
    now_ = appointment_;
    session.tick();
  }

 private:
  std::int64_t now_ = 1;
  std::int64_t appointment_ = 0;
};

}  // namespace

/** The bytes are what a controller sends: cut, decoded and carried out, with a tick after each
 * request. */
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  HastyGuest guest;
  std::size_t replied = 0;
  Session session(guest, [&](std::vector<std::byte> reply) { replied += reply.size(); });
  FrameBuffer buffer;
  buffer.push(std::as_bytes(std::span(data, size)));
  while (auto message = buffer.next()) {
    auto decoded = decode_request(*message);
    if (auto* request = std::get_if<Request>(&decoded)) session.handle(std::move(*request));
    guest.pass(session);
  }
  return 0;
}
