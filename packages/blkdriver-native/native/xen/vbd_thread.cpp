#include "xen/vbd_thread.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <cerrno>

#include "error.h"

namespace reprise::blk::xen {
namespace {

/// A guest may fire the watch on its own node as fast as it likes.
constexpr unsigned kWatchesARound = 16;

std::filesystem::path journal_path(const VbdOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.state_directory, error);
  if (error) throw_os_error("create", options.state_directory, error.value());
  return options.state_directory / ("blkif-" + options.kind + "-" + std::to_string(options.domain) +
                                    "-" + std::to_string(options.device));
}

void add(VbdCounts& sum, const VbdCounts& more) noexcept {
  sum.requests += more.requests;
  sum.reads += more.reads;
  sum.writes += more.writes;
  sum.flushes += more.flushes;
  sum.barriers += more.barriers;
  sum.discards += more.discards;
  sum.indirect += more.indirect;
  sum.refused += more.refused;
  sum.failed += more.failed;
  sum.bytes_read += more.bytes_read;
  sum.bytes_written += more.bytes_written;
}

}  // namespace

VbdThread::VbdThread(BlockDevice& device, const VbdOptions& options, VbdEnded ended)
    : device_(device),
      options_(options),
      ended_(std::move(ended)),
      nodes_(store_, options),
      journal_(journal_path(options)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw_os_error("create", "an eventfd", errno);
  nodes_.watch();
  const Situation found = look();
  const bool live =
      found.frontend == XenbusState::kInitialised || found.frontend == XenbusState::kConnected;
  if (found.backend == XenbusState::kConnected && live) connect(Connection::Start::kTakeOver);
  thread_ = std::thread([this] { run(); });
}

VbdThread::~VbdThread() {
  close(VbdClose::kOrderly);
}

void VbdThread::close(VbdClose how) {
  const std::lock_guard lock(closing_);
  if (!thread_.joinable()) return;
  if (how == VbdClose::kLeave) stop_ring_ = true;
  wish_ = how == VbdClose::kLeave ? Wish::kLeave : Wish::kClose;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
}

VbdReport VbdThread::report() const {
  const std::lock_guard lock(mutex_);
  VbdReport report = report_;
  if (connection_) {
    add(report.counts, connection_->counts());
    report.persistent_frames = connection_->persistent_frames();
  }
  return report;
}

void VbdThread::run() noexcept {
  try {
    serve_until_end();
  } catch (const std::exception& failure) {
    // Out of memory, or xenstore is gone: the ring stays as it is for a successor.
    disconnect();
    end(VbdEnd::kFailed, failure.what());
  }
  if (ended_) ended_();
}

void VbdThread::serve_until_end() {
  while (true) {
    const Wish wish = wish_;
    if (wish == Wish::kLeave) {
      disconnect();
      return end(VbdEnd::kClosed);
    }
    if (wish == Wish::kClose && !close_by_) begin_close();
    if (!follow_handshake()) return;
    wait(follow_ring());
  }
}

/// The guest sees that the disk is going, and writes back what it has.
void VbdThread::begin_close() {
  close_by_ = Clock::now() + kCloseDeadline;
  nodes_.set_state(XenbusState::kClosing);
}

bool VbdThread::follow_handshake() {
  if (store_.drain_watches(kWatchesARound)) look_due_ = true;
  if (!look_due_ && !close_by_) return true;
  look_due_ = false;
  const Situation now = look();
  if (close_by_) {
    const bool let_go = now.frontend == XenbusState::kClosed || !connection_;
    if (let_go || !now.frontend_there || Clock::now() >= *close_by_) {
      disconnect();
      if (now.backend_there) nodes_.set_state(XenbusState::kClosed);
      forget();
      end(VbdEnd::kClosed);
      return false;
    }
    if (now.frontend != XenbusState::kClosing) return true;  // nothing new begins
  }
  switch (next_step(now)) {
    case Step::kWait:
      return true;
    case Step::kOffer:
      nodes_.publish_features(options_.features);
      nodes_.publish_disk(device_.size_bytes() / kSectorBytes, nodes_.read_only());
      nodes_.set_state(XenbusState::kInitWait);
      return true;
    case Step::kConnect:
      try {
        connect(Connection::Start::kFresh);
      } catch (const Error& error) {
        note(error.what());
        nodes_.set_state(XenbusState::kClosing);
      }
      return true;
    case Step::kClosing:
      disconnect();
      nodes_.set_state(XenbusState::kClosing);
      return true;
    case Step::kClosed:
      disconnect();
      nodes_.set_state(XenbusState::kClosed);
      return true;
    case Step::kEnd:
      disconnect();
      if (now.backend_there) nodes_.set_state(XenbusState::kClosed);
      forget();
      end(now.frontend_there ? VbdEnd::kRemoved : VbdEnd::kFrontendGone);
      return false;
  }
  return true;
}

Situation VbdThread::look() {
  {
    const std::lock_guard lock(mutex_);
    ++report_.looks;
  }
  return nodes_.look(connection_ != nullptr);
}

bool VbdThread::follow_ring() {
  if (!connection_) return false;
  if (!connection_->event_channel().take()) {
    throw Error(ErrorCode::kXenFailed,
                "The event channel does not work any more. Serve the device again.");
  }
  switch (connection_->serve(stop_ring_)) {
    case RingServer::Outcome::kMore:
      return true;
    case RingServer::Outcome::kBroken:
      // Its own fault, its own loss: it may close the device and open it again.
      note("The guest broke the block protocol: an impossible ring index.");
      disconnect();
      {
        const std::lock_guard lock(mutex_);
        ++report_.broken_rings;
      }
      nodes_.set_state(XenbusState::kClosing);
      return false;
    case RingServer::Outcome::kIdle:
    case RingServer::Outcome::kStopped:
      break;
  }
  return false;
}

void VbdThread::wait(bool busy) {
  std::array<pollfd, 3> sources{{{wake_.get(), POLLIN, 0}, {store_.fd(), POLLIN, 0}, {-1, 0, 0}}};
  if (connection_) sources[2] = {connection_->event_channel().fd(), POLLIN, 0};
  int timeout = -1;
  if (close_by_) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*close_by_ - Clock::now());
    timeout = static_cast<int>(std::max<std::int64_t>(0, left.count()));
  }
  if (busy) timeout = 0;
  if (::poll(sources.data(), sources.size(), timeout) < 0 && errno != EINTR) {
    throw_os_error("wait for", "the guest", errno);
  }
  if (sources[0].revents != 0) {
    eventfd_t ignored = 0;
    ::eventfd_read(wake_.get(), &ignored);
  }
}

void VbdThread::connect(Connection::Start start) {
  const FrontendRing ring = nodes_.read_ring();
  const RingIdentity identity{options_.domain, ring.event_channel, ring.grefs.front(),
                              options_.disk};
  const std::uint64_t sectors = device_.size_bytes() / kSectorBytes;
  if (start == Connection::Start::kTakeOver &&
      (nodes_.published_sectors() != sectors || journal_.served_another_disk(identity))) {
    throw Error(ErrorCode::kXenFailed,
                "The guest uses another disk, so this is not the one that it lost. Serve the same "
                "chain again.");
  }
  const Terms terms{.sectors = sectors,
                    .read_only = nodes_.read_only(),
                    .discard = nodes_.offered_discard(),
                    .max_indirect_segments = nodes_.offered_indirect_segments()};
  auto connection = std::make_unique<Connection>(device_, journal_, identity, ring, terms, start);
  nodes_.publish_disk(sectors, terms.read_only);
  nodes_.set_state(XenbusState::kConnected);
  const std::lock_guard lock(mutex_);
  connection_ = std::move(connection);
  report_.state = VbdState::kConnected;
  report_.ring_requests = connection_->ring_requests();
  ++report_.connections;
  if (start == Connection::Start::kTakeOver) ++report_.taken_over;
}

void VbdThread::disconnect() {
  if (!connection_) return;
  // What the guest was told is written shall outlive the host, too: it may be saved now.
  if (const auto error = device_.flush()) note("The last flush failed: " + error.message() + ".");
  const std::lock_guard lock(mutex_);
  add(report_.counts, connection_->counts());
  report_.state = VbdState::kWaiting;
  connection_.reset();
}

void VbdThread::forget() {
  if (options_.make_nodes) nodes_.remove();
  std::error_code ignored;  // it stands in /run, and goes with the next boot
  std::filesystem::remove(journal_path(options_), ignored);
}

void VbdThread::end(VbdEnd why, const std::string& error) {
  const std::lock_guard lock(mutex_);
  report_.state = VbdState::kEnded;
  report_.end = why;
  if (!error.empty()) report_.error = error;
}

void VbdThread::note(const std::string& error) {
  const std::lock_guard lock(mutex_);
  report_.error = error;
}

}  // namespace reprise::blk::xen
