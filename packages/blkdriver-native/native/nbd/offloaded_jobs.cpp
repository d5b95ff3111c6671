#include "nbd/offloaded_jobs.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <cerrno>
#include <new>
#include <utility>

#include "error.h"

namespace reprise::blk::nbd {
namespace {

constexpr std::size_t kMostJobs = 128;
constexpr std::size_t kMostJobBytes = kMostPayloadBytes;

}  // namespace

bool OffloadedJobs::Entry::turn() noexcept {
  const bool wanted = !owner_.abandoned_.load(std::memory_order_relaxed);
  if (wanted && !job.perform(owner_.device_, owner_.agreement_)) return false;
  owner_.finished(*this);
  return true;
}

OffloadedJobs::OffloadedJobs(WorkerPool& pool, BlockDevice& device, const Agreement& agreement)
    : device_(device), agreement_(agreement), wakeup_(::eventfd(0, EFD_CLOEXEC)), line_(pool) {
  if (!wakeup_) throw_os_error("create", "an eventfd", errno);
}

OffloadedJobs::~OffloadedJobs() {
  line_.finish();
  while (const EntryPtr entry{static_cast<Entry*>(finished_.pop())}) {
  }
}

bool OffloadedJobs::has_room(std::size_t data_bytes) const noexcept {
  return jobs_ == 0 || (jobs_ < kMostJobs && job_bytes_ + data_bytes <= kMostJobBytes);
}

bool OffloadedJobs::submit(DiskJob& job, std::size_t data_bytes) noexcept {
  EntryPtr entry;
  std::vector<std::byte> data;
  try {
    entry = std::make_unique<Entry>(*this);
    data.resize(data_bytes);
  } catch (const std::bad_alloc&) {
    return false;
  }
  entry->job = std::move(job);
  entry->job.data = std::move(data);
  ++jobs_;
  job_bytes_ += data_bytes;
  line_.submit(*entry.release());
  return true;
}

void OffloadedJobs::finished(Entry& entry) noexcept {
  const std::lock_guard lock(mutex_);
  finished_.push(entry);
  ::eventfd_write(wakeup_.get(), 1);
}

void OffloadedJobs::await_finished() noexcept {
  pollfd ready{wakeup_.get(), POLLIN, 0};
  while (::poll(&ready, 1, -1) < 0 && errno == EINTR) {
  }
}

OffloadedJobs::EntryPtr OffloadedJobs::take_finished() noexcept {
  if (jobs_ == 0) return nullptr;
  const std::lock_guard lock(mutex_);
  EntryPtr entry(static_cast<Entry*>(finished_.pop()));
  if (!entry) return nullptr;
  --jobs_;
  job_bytes_ -= entry->job.data.size();
  // The descriptor is readable while something stands here.
  if (finished_.empty()) {
    std::uint64_t count;
    ::eventfd_read(wakeup_.get(), &count);
  }
  return entry;
}

}  // namespace reprise::blk::nbd
