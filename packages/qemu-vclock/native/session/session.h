// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <vector>

#include "control/message.h"
#include "session/guest.h"
#include "session/marker.h"
#include "session/pacer.h"
#include "session/timeline.h"

namespace reprise::vclock {

/** Takes whole replies to the controller. May be called on any thread that holds QEMU's lock. */
using Reply = std::function<void(std::vector<std::byte>)>;

/** Departures from the rules, one at a time, so that tests can show what each rule is for. */
struct Mutations {
  /** Inject at once instead of at the next tick. */
  bool inject_at_once = false;
  /** Hand the disk a whole kick's requests instead of one. */
  bool disk_batches = false;
};

/**
 * What the controller asked for and what the guest's clock brings: a recorded session, or its
 * replay. Everything happens with QEMU's lock held, so there is no other.
 */
class Session {
 public:
  enum class Mode : std::uint8_t { kIdle = 0, kRecording = 1, kReplaying = 2, kStopped = 3 };

  static constexpr std::size_t kMostWaiting = 4096;
  static constexpr std::size_t kMostWaitingBytes = 8U << 20;
  /** At the coarsest clock that QEMU has (shift=10). */
  static constexpr std::int64_t kMostInstructionNs = 1 << 10;

  Session(Guest& guest, Reply reply, Mutations mutations = {});

  /** Carries a request out, or says why not. Some are answered later, when their time has come. */
  void handle(Request request);

  /** The appointment of Guest::wake_at. */
  void tick();

  /** The controller is gone: what it was still owed is forgotten, and what it sent is not injected.
   */
  void abandon();

  [[nodiscard]] StatusReport status() const;

 private:
  struct Waiting {
    std::uint32_t id;
    Event event;
  };

  void begin(std::uint32_t id, const RecordRequest& record);
  void accept(std::uint32_t id, InputRequest input);
  void append(std::uint32_t id, AppendRequest request);
  void replay(std::uint32_t id, const ReplayRequest& request);
  void stop_at(std::uint32_t id, const StopRequest& request);
  void wait(std::uint32_t id);
  void mark(std::uint32_t id);

  void inject(std::int64_t at_ns, const Event& event);
  void tell_marks();
  void tick_recording(std::int64_t session_ns);
  void tick_replay(std::int64_t session_ns);
  void wake_for_replay();
  void finish(std::int64_t session_ns);
  void refuse(std::uint32_t id, Fault fault, const char* text);
  [[nodiscard]] std::int64_t session_ns() const { return guest_.now_ns() - start_ns_; }
  /** An appointment is kept at the end of an instruction: up to one instruction late, in every run.
   */
  static std::int64_t appointed(std::int64_t session_ns, std::int64_t at_ns) {
    return session_ns - at_ns < kMostInstructionNs ? at_ns : session_ns;
  }

  Guest& guest_;
  Reply reply_;
  Mutations mutations_;
  Mode mode_ = Mode::kIdle;
  std::int64_t start_ns_ = 0;
  std::int64_t tick_ns_ = 0;
  std::int64_t last_tick_ns_ = 0;
  bool paced_ = false;
  Pacer pacer_;
  Marker marker_{guest_};
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  Timeline timeline_;
  std::optional<std::int64_t> stop_ns_;
  /** Whom to tell that the guest was told to stop. */
  std::optional<std::uint32_t> waiter_;
  /** Whom to tell of the next mark. */
  std::optional<std::uint32_t> mark_waiter_;
  std::int64_t stopped_ns_ = 0;
  std::uint64_t injected_ = 0;
  std::int64_t latest_ns_ = 0;
};

}  // namespace reprise::vclock
