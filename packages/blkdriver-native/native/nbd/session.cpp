#include "nbd/session.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "error.h"

namespace reprise::blk::nbd {
namespace {

/// Long requests go through in pieces that stay in the processor's cache.
constexpr std::uint32_t kPieceBytes = 256 << 10;
/// Written ones in shorter pieces: docs/adr/0011-waiting-for-requests.md has what that gave.
constexpr std::uint32_t kWritePieceBytes = 64 << 10;

constexpr auto kTryAgain = std::errc::resource_unavailable_try_again;

}  // namespace

Session::Session(int socket, BlockDevice& device, WorkerPool& pool, BusyPollSlot& busy_poll_slot,
                 const Agreement& agreement, InputBuffer& input, OutputBuffer& output,
                 Tuning tuning)
    : socket_(socket),
      device_(device),
      agreement_(agreement),
      input_(input),
      reply_(output, agreement.structured_replies),
      busy_poll_(busy_poll_slot),
      tuning_(tuning),
      jobs_(pool, device, agreement) {}

void Session::run() {
  // Who says that it goes has everything done that it asked for; who is gone wants nothing.
  if (!serve_requests()) jobs_.abandon();
  reply_.out().flush();
}

bool Session::serve_requests() {
  while (!reply_.out().broken()) {
    answer_finished();
    if (input_.available().size() < Request::kBytes) {
      if (!await_input()) return false;
      continue;
    }
    const auto request = parse_request(input_.available().first<Request::kBytes>());
    if (!request || is_unbearable(*request)) return false;
    input_.consume(Request::kBytes);
    if (request->command == Command::kDisconnect) return true;
    if (!serve(*request)) return false;
  }
  return false;
}

/// Sends what is pending and sleeps until there are more bytes or a job has finished.
/// False at the end.
bool Session::await_input() {
  reply_.out().flush();
  if (reply_.out().broken()) return false;
  if (jobs_.none()) return busy_poll_.fill(input_);
  std::array<pollfd, 2> sources{{{socket_, POLLIN, 0}, {jobs_.fd(), POLLIN, 0}}};
  if (::poll(sources.data(), sources.size(), -1) < 0) return errno == EINTR;
  if (sources[1].revents != 0) return true;
  return input_.fill();
}

bool Session::serve(const Request& request) {
  const WireError refusal = check_request(request, device_.size_bytes(), agreement_);
  if (request.command == Command::kWrite) return serve_write(request, refusal);
  if (refusal != kWireOk) {
    reply_.finish(request.cookie, refusal);
    return true;
  }
  if (request.command == Command::kRead) {
    serve_read(request);
    return true;
  }
  offload({request, request.offset, request.length});
  return true;
}

/// The payload goes from the socket's buffer to the disk in pieces that end at
/// multiples of the piece size, so that a long write copies up nothing.
bool Session::serve_write(const Request& request, WireError refusal) {
  std::error_code error;
  std::uint64_t offset = request.offset;
  std::uint32_t left = request.length;
  while (left > 0) {
    const std::uint32_t to_boundary =
        kWritePieceBytes - static_cast<std::uint32_t>(offset % kWritePieceBytes);
    const std::uint32_t n = std::min(left, to_boundary);
    if (!await_payload(n)) return false;
    // After an error the rest is only skipped.
    if (refusal == kWireOk && !error) error = device_.write(offset, input_.available().first(n));
    input_.consume(n);
    offset += n;
    left -= n;
  }
  if (refusal != kWireOk || error || !request.has(kCmdFlagFua)) {
    reply_.finish(request.cookie, refusal != kWireOk ? refusal : wire_error(error));
    return true;
  }
  offload({request, request.offset, request.length});
  return true;
}

bool Session::await_payload(std::size_t bytes) {
  if (input_.available().size() >= bytes) return true;
  input_.make_room(bytes);
  while (input_.available().size() < bytes) {
    // The client may wait for earlier answers before it sends the rest.
    answer_finished();
    if (!await_input()) return false;
  }
  return true;
}

void Session::serve_read(const Request& request) {
  if (request.length > kPieceBytes) return serve_read_in_pieces(request);
  std::error_code error;
  if (read_inline(request, request.offset, request.length, true, error)) return;
  if (error) return reply_.finish(request.cookie, wire_error(error));
  offload({request, request.offset, request.length}, request.length);
}

/// Reads behind the pending replies, where the kernel has the data at hand.
/// False: not read, because of `error` or because it would have slept.
bool Session::read_inline(const Request& request, std::uint64_t offset, std::uint32_t length,
                          bool done, std::error_code& error) {
  if (!tuning_.inline_reads) return false;
  const std::size_t header = reply_.data_header_bytes();
  const auto at = reply_.out().reserve(header + length);
  if (at.empty()) return true;  // the client is gone: nobody wants the data
  error = device_.read(offset, at.subspan(header), Wait::kNever);
  if (error) {
    if (error == kTryAgain) error = {};
    return false;
  }
  reply_.data_header(at.data(), request.cookie, offset, length, done);
  reply_.out().commit(header + length);
  return true;
}

void Session::serve_read_in_pieces(const Request& request) {
  if (!reply_.structured() || request.has(kCmdFlagDf)) {
    // The client wants one piece, whose error must be known before it begins.
    return offload({request, request.offset, request.length}, request.length);
  }
  auto whole = std::make_shared<PiecewiseRead>();
  std::uint64_t offset = request.offset;
  for (std::uint32_t left = request.length; left > 0;) {
    const std::uint32_t n = std::min(left, kPieceBytes);
    left -= n;
    const bool last = left == 0 && whole->pieces_left == 1;
    std::error_code error;
    if (read_inline(request, offset, n, last, error)) {
      if (last) return;
    } else if (error) {
      reply_.error_chunk(request.cookie, wire_error(error), 0);
    } else {
      ++whole->pieces_left;
      offload({request, offset, n, whole}, n);
    }
    offset += n;
  }
  if (--whole->pieces_left == 0) reply_.finish(request.cookie, kWireOk);
}

void Session::offload(DiskJob job, std::size_t data_bytes) {
  while (!jobs_.has_room(data_bytes)) {
    reply_.out().flush();
    jobs_.await_finished();
    answer_finished();
  }
  if (jobs_.submit(job, data_bytes)) return;
  job.error = std::make_error_code(std::errc::not_enough_memory);
  answer(job);
}

void Session::answer_finished() {
  while (const auto finished = jobs_.take_finished()) answer(finished->job);
}

void Session::answer(DiskJob& job) {
  const std::uint64_t cookie = job.request.cookie;
  if (job.whole) {
    if (job.error) {
      reply_.error_chunk(cookie, wire_error(job.error), 0);
    } else {
      reply_.data(cookie, job.offset, job.data, false);
    }
    if (--job.whole->pieces_left == 0) reply_.finish(cookie, kWireOk);
    return;
  }
  if (job.error) return reply_.finish(cookie, wire_error(job.error));
  if (job.request.command == Command::kRead) {
    return reply_.data(cookie, job.offset, job.data, true);
  }
  if (job.request.command == Command::kBlockStatus) {
    for (std::size_t i = 0; i < job.status.size(); ++i) {
      reply_.status(cookie, agreement_.contexts[i].id, job.status[i], i + 1 == job.status.size());
    }
    return;
  }
  reply_.finish(cookie, kWireOk);
}

}  // namespace reprise::blk::nbd
