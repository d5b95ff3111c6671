#include "nbd/session.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>

#include "error.h"

namespace reprise::blk::nbd {

/// A READ that is answered chunk by chunk, in whatever order the chunks are ready.
struct PiecewiseRead {
  std::uint32_t pieces_left = 1;  ///< one stands for the loop that still makes pieces
};

namespace {

/// Long requests go through in pieces that stay in the processor's cache.
constexpr std::uint32_t kPieceBytes = 256 << 10;
/// Written ones in shorter pieces: docs/adr/0011-waiting-for-requests.md has what that gave.
constexpr std::uint32_t kWritePieceBytes = 64 << 10;
constexpr std::size_t kMostJobs = 128;
constexpr std::size_t kMostJobBytes = kMostPayloadBytes;
/// Enough to describe 32 MiB block by block, small enough for one reply.
constexpr std::size_t kMostExtents = 8192;

constexpr auto kTryAgain = std::errc::resource_unavailable_try_again;

}  // namespace

Session::Session(int socket, BlockDevice& device, WorkerPool& pool, BusyPollSlot& busy_poll_slot,
                 const Agreement& agreement, InputBuffer& input, OutputBuffer& output,
                 Tuning tuning)
    : socket_(socket),
      device_(device),
      pool_(pool),
      agreement_(agreement),
      input_(input),
      reply_(output, agreement.structured_replies),
      busy_poll_(busy_poll_slot),
      tuning_(tuning),
      wakeup_(::eventfd(0, EFD_CLOEXEC)) {
  if (!wakeup_) throw_os_error("create", "an eventfd", errno);
}

Session::~Session() {
  while (jobs_ > 0) {
    await_finished();
    const std::lock_guard lock(finished_mutex_);
    jobs_ -= finished_.size();
    finished_.clear();
  }
}

void Session::run() {
  while (!reply_.out().broken()) {
    take_finished();
    if (input_.available().size() < Request::kBytes) {
      if (!await_input()) return;
      continue;
    }
    const auto request = parse_request(input_.available().first<Request::kBytes>());
    if (!request || is_unbearable(*request)) return;
    input_.consume(Request::kBytes);
    if (request->command == Command::kDisconnect || !serve(*request)) break;
  }
  // A client disconnects when it has all its answers, so nothing in the pool is owed to it.
  reply_.out().flush();
}

/// Sends what is pending and sleeps until there is something to do. False at the end.
bool Session::await_input() {
  reply_.out().flush();
  if (reply_.out().broken()) return false;
  if (jobs_ == 0) return busy_poll_.fill(input_);
  std::array<pollfd, 2> sources{{{socket_, POLLIN, 0}, {wakeup_.get(), POLLIN, 0}}};
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
  offload(std::make_unique<Job>(Job{request, request.offset, request.length, {}, {}, {}, {}}), 0);
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
  offload(std::make_unique<Job>(Job{request, request.offset, request.length, {}, {}, {}, {}}), 0);
  return true;
}

bool Session::await_payload(std::size_t bytes) {
  if (input_.available().size() >= bytes) return true;
  // The client may wait for earlier answers before it sends the rest.
  reply_.out().flush();
  input_.make_room(bytes);
  while (input_.available().size() < bytes) {
    if (!busy_poll_.fill(input_)) return false;
  }
  return true;
}

void Session::serve_read(const Request& request) {
  if (request.length > kPieceBytes) return serve_read_in_pieces(request);
  std::error_code error;
  if (read_inline(request, request.offset, request.length, true, error)) return;
  if (error) return reply_.finish(request.cookie, wire_error(error));
  offload(std::make_unique<Job>(Job{request, request.offset, request.length, {}, {}, {}, {}}),
          request.length);
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
    return offload(
        std::make_unique<Job>(Job{request, request.offset, request.length, {}, {}, {}, {}}),
        request.length);
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
      offload(std::make_unique<Job>(Job{request, offset, n, {}, {}, {}, whole}), n);
    }
    offset += n;
  }
  if (--whole->pieces_left == 0) reply_.finish(request.cookie, kWireOk);
}

void Session::offload(JobPtr job, std::size_t data_bytes) {
  while (jobs_ > 0 && (jobs_ >= kMostJobs || job_bytes_ + data_bytes > kMostJobBytes)) {
    reply_.out().flush();
    await_finished();
    take_finished();
  }
  ++jobs_;
  job_bytes_ += data_bytes;
  job->data.resize(data_bytes);
  pool_.submit([this, raw = job.release()] {
    JobPtr owned(raw);
    perform(*owned);
    {
      const std::lock_guard lock(finished_mutex_);
      finished_.push_back(std::move(owned));
      // Under the lock: after it the session may already be gone.
      ::eventfd_write(wakeup_.get(), 1);
    }
  });
}

/// On a pool thread.
void Session::perform(Job& job) {
  const Request& request = job.request;
  switch (request.command) {
    case Command::kRead:
      job.error = device_.read(job.offset, job.data, Wait::kAllowed);
      return;
    case Command::kTrim:
      job.error = device_.trim(job.offset, job.length);
      break;
    case Command::kWriteZeroes:
      job.error = device_.zero(job.offset, job.length,
                               {.keep_allocated = request.has(kCmdFlagNoHole),
                                .only_if_fast = request.has(kCmdFlagFastZero)});
      break;
    case Command::kCache:
      job.error = device_.cache(job.offset, job.length);
      return;
    case Command::kBlockStatus:
      return collect_status(job);
    case Command::kFlush:
      job.error = device_.flush();
      return;
    case Command::kWrite:  // its data is written already
    case Command::kDisconnect:
      break;
  }
  if (!job.error && request.has(kCmdFlagFua)) job.error = device_.flush();
}

void Session::collect_status(Job& job) {
  const std::size_t most = job.request.has(kCmdFlagReqOne) ? 1 : kMostExtents;
  for (const MetaContext& context : agreement_.contexts) {
    auto& extents = job.status.emplace_back();
    job.error = device_.status(context.kind, job.offset, job.length,
                               [&](std::uint64_t length, std::uint32_t flags) {
                                 const auto n = static_cast<std::uint32_t>(length);
                                 if (!extents.empty() && extents.back().flags == flags) {
                                   extents.back().length += n;
                                   return true;
                                 }
                                 if (extents.size() == most) return false;
                                 extents.push_back({n, flags});
                                 return true;
                               });
    if (job.error) return;
  }
}

void Session::await_finished() {
  std::uint64_t count;
  while (::eventfd_read(wakeup_.get(), &count) < 0 && errno == EINTR) {
  }
}

std::size_t Session::take_finished() {
  if (jobs_ == 0) return 0;
  std::vector<JobPtr> finished;
  {
    const std::lock_guard lock(finished_mutex_);
    finished.swap(finished_);
    if (!finished.empty()) {
      pollfd ready{wakeup_.get(), POLLIN, 0};
      if (::poll(&ready, 1, 0) == 1) await_finished();
    }
  }
  for (const JobPtr& job : finished) {
    answer(*job);
    job_bytes_ -= job->data.size();
    --jobs_;
  }
  return finished.size();
}

void Session::answer(Job& job) {
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
