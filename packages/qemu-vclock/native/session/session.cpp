// SPDX-License-Identifier: GPL-2.0-or-later
#include "session/session.h"

#include <algorithm>
#include <limits>
#include <type_traits>
#include <utility>

namespace reprise::vclock {

Session::Session(Guest& guest, Reply reply, Mutations mutations)
    : guest_(guest), reply_(std::move(reply)), mutations_(mutations) {}

void Session::handle(Request request) {
  const auto id = request.id;
  std::visit(
      [&](auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, StatusRequest>) reply_(encode_status(id, status()));
        if constexpr (std::is_same_v<Body, NowRequest>) reply_(encode_time(id, guest_.now_ns()));
        if constexpr (std::is_same_v<Body, RecordRequest>) begin(id, body);
        if constexpr (std::is_same_v<Body, InputRequest>) accept(id, std::move(body));
        if constexpr (std::is_same_v<Body, AppendRequest>) append(id, std::move(body));
        if constexpr (std::is_same_v<Body, ReplayRequest>) replay(id, body);
        if constexpr (std::is_same_v<Body, StopRequest>) stop_at(id, body);
        if constexpr (std::is_same_v<Body, WaitRequest>) wait(id);
        if constexpr (std::is_same_v<Body, MarkRequest>) mark(id);
      },
      request.body);
}

void Session::begin(std::uint32_t id, const RecordRequest& record) {
  if (mode_ != Mode::kIdle) return refuse(id, Fault::kWrongState, "a session has begun already");
  if (record.mark_ns != 0 && Marker::kShareNs % record.tick_ns != 0) {
    return refuse(id, Fault::kMalformed, "marks need a tick of which 50 ms are a multiple");
  }
  mode_ = Mode::kRecording;
  start_ns_ = guest_.now_ns();
  tick_ns_ = record.tick_ns;
  paced_ = record.paced;
  pacer_.start(guest_.host_ns(), start_ns_);
  marker_.start(record.mark_ns);
  guest_.wake_at(start_ns_ + tick_ns_);
  reply_(encode_time(id, start_ns_));
}

void Session::accept(std::uint32_t id, InputRequest input) {
  if (mode_ != Mode::kRecording) return refuse(id, Fault::kWrongState, "no session is recorded");
  if (stop_ns_) return refuse(id, Fault::kWrongState, "the session is about to stop");
  if (mutations_.inject_at_once) {
    inject(last_tick_ns_ + tick_ns_, input.event);
    return reply_(encode_time(id, last_tick_ns_ + tick_ns_));
  }
  const auto bytes = waiting_bytes_ + weight(input.event);
  if (waiting_.size() == kMostWaiting || bytes > kMostWaitingBytes) {
    return refuse(id, Fault::kTooMuch, "too much input waits for the next tick");
  }
  waiting_bytes_ = bytes;
  waiting_.push_back({id, std::move(input.event)});
}

void Session::append(std::uint32_t id, AppendRequest request) {
  if (mode_ != Mode::kIdle) return refuse(id, Fault::kWrongState, "a session has begun already");
  switch (timeline_.append(std::move(request.events))) {
    case Timeline::Added::kYes:
      return reply_(encode_time(id, guest_.now_ns()));
    case Timeline::Added::kOutOfOrder:
      return refuse(id, Fault::kMalformed, "the events are not in the order of their times");
    case Timeline::Added::kTooMuch:
      return refuse(id, Fault::kTooMuch, "the log is larger than a replay can hold");
  }
}

void Session::replay(std::uint32_t id, const ReplayRequest& request) {
  if (mode_ != Mode::kIdle) return refuse(id, Fault::kWrongState, "a session has begun already");
  mode_ = Mode::kReplaying;
  start_ns_ = guest_.now_ns();
  stop_ns_ = request.stop_at_ns;
  marker_.start(request.mark_ns);
  wake_for_replay();
  reply_(encode_time(id, start_ns_));
}

void Session::stop_at(std::uint32_t id, const StopRequest& request) {
  if (mode_ == Mode::kStopped) return reply_(encode_time(id, stopped_ns_));
  if (mode_ == Mode::kReplaying) {
    // Whoever waits for the replay's end is told when it has come.
    stop_ns_ = std::min(*stop_ns_, std::max(request.at_ns, session_ns()));
    wake_for_replay();
    return reply_(encode_time(id, *stop_ns_));
  }
  if (mode_ != Mode::kRecording) return refuse(id, Fault::kWrongState, "no session is recorded");
  if (stop_ns_) return refuse(id, Fault::kWrongState, "the session is about to stop");
  stop_ns_ = request.at_ns;
  waiter_ = id;
}

void Session::wait(std::uint32_t id) {
  if (mode_ == Mode::kStopped) return reply_(encode_time(id, stopped_ns_));
  if (mode_ != Mode::kReplaying) return refuse(id, Fault::kWrongState, "nothing is replayed");
  if (waiter_) return refuse(id, Fault::kWrongState, "somebody waits already");
  waiter_ = id;
}

void Session::mark(std::uint32_t id) {
  if (mode_ == Mode::kIdle) return refuse(id, Fault::kWrongState, "no session has begun");
  if (mark_waiter_) return refuse(id, Fault::kWrongState, "somebody waits for a mark already");
  mark_waiter_ = id;
  tell_marks();
}

void Session::tell_marks() {
  if (!mark_waiter_) return;
  if (const auto mark = marker_.take()) {
    reply_(encode_mark(*std::exchange(mark_waiter_, std::nullopt), *mark));
  } else if (mode_ == Mode::kStopped) {
    reply_(encode_time(*std::exchange(mark_waiter_, std::nullopt), stopped_ns_));
  }
}

void Session::inject(std::int64_t at_ns, const Event& event) {
  guest_.inject(event);
  marker_.injected(at_ns, event);
  injected_++;
}

void Session::tick() {
  const auto session_ns = this->session_ns();
  if (mode_ == Mode::kRecording) {
    tick_recording(session_ns);
  } else if (mode_ == Mode::kReplaying) {
    tick_replay(session_ns);
  }
}

void Session::tick_recording(std::int64_t session_ns) {
  const auto tick_ns = appointed(session_ns, session_ns - session_ns % tick_ns_);
  last_tick_ns_ = tick_ns;
  latest_ns_ = std::max(latest_ns_, tick_ns % tick_ns_);
  marker_.look(tick_ns);
  tell_marks();
  for (auto& [id, event] : std::exchange(waiting_, {})) {
    inject(tick_ns, event);
    reply_(encode_time(id, tick_ns));
  }
  waiting_bytes_ = 0;
  if (stop_ns_ && *stop_ns_ <= tick_ns) return finish(tick_ns);
  guest_.wake_at(start_ns_ + (session_ns / tick_ns_ + 1) * tick_ns_);
  if (!paced_) return;
  // Last: while this thread rests QEMU's others go on; the guest's own is this one.
  const auto rest_ns = pacer_.wait_ns(guest_.host_ns(), start_ns_ + session_ns);
  if (rest_ns > 0) guest_.rest_ns(rest_ns);
}

void Session::tick_replay(std::int64_t session_ns) {
  marker_.look(session_ns);
  tell_marks();
  while (timeline_.next_ns().value_or(std::numeric_limits<std::int64_t>::max()) <= session_ns) {
    const auto [at_ns, event] = timeline_.take();
    inject(at_ns, event);
    latest_ns_ = std::max(latest_ns_, appointed(session_ns, at_ns) - at_ns);
  }
  if (*stop_ns_ > session_ns) return wake_for_replay();
  const auto stopped_ns = appointed(session_ns, *stop_ns_);
  latest_ns_ = std::max(latest_ns_, stopped_ns - *stop_ns_);
  finish(stopped_ns);
}

void Session::wake_for_replay() {
  const auto event_ns = timeline_.next_ns().value_or(*stop_ns_);
  const auto look_ns = marker_.next_ns().value_or(*stop_ns_);
  guest_.wake_at(start_ns_ + std::min({event_ns, look_ns, *stop_ns_}));
}

void Session::finish(std::int64_t session_ns) {
  mode_ = Mode::kStopped;
  stopped_ns_ = session_ns;
  guest_.stop();
  timeline_.clear();
  tell_marks();
  if (waiter_) reply_(encode_time(*std::exchange(waiter_, std::nullopt), session_ns));
}

void Session::abandon() {
  waiting_.clear();
  waiting_bytes_ = 0;
  waiter_.reset();
  mark_waiter_.reset();
  marker_.forget();
  // A log that nobody came to replay.
  if (mode_ == Mode::kIdle) timeline_.clear();
}

StatusReport Session::status() const {
  StatusReport report;
  report.mode = static_cast<std::uint8_t>(mode_);
  report.now_ns = guest_.now_ns();
  report.session_ns = mode_ == Mode::kIdle ? 0 : report.now_ns - start_ns_;
  report.lag_ns = pacer_.lag_ns();
  report.injected = injected_;
  report.waiting = waiting_.size() + timeline_.left();
  report.latest_ns = latest_ns_;
  const auto trace = guest_.trace();
  report.instructions = trace.instructions;
  report.disk_requests = trace.disk_requests;
  report.disk_ns = guest_.disk_held_ns();
  return report;
}

void Session::refuse(std::uint32_t id, Fault fault, const char* text) {
  reply_(encode_refusal({id, fault, text}));
}

}  // namespace reprise::vclock
