#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "nbd/disk_job.h"
#include "nbd/worker_pool.h"
#include "platform/unique_fd.h"

namespace reprise::blk::nbd {

/// What one connection has given to the pool and not taken back yet. Its bounds are the
/// back-pressure: a client that asks for more is not read from. For the connection's thread.
class OffloadedJobs {
 public:
  /// A job on its way through the pool.
  class Entry final : public WorkerPool::Job {
   public:
    explicit Entry(OffloadedJobs& owner) noexcept : owner_(owner) {}
    bool turn() noexcept override;

    DiskJob job;

   private:
    OffloadedJobs& owner_;
  };
  using EntryPtr = std::unique_ptr<Entry>;

  OffloadedJobs(WorkerPool& pool, BlockDevice& device, const Agreement& agreement);
  OffloadedJobs(const OffloadedJobs&) = delete;
  OffloadedJobs& operator=(const OffloadedJobs&) = delete;
  /// Waits for what the pool still does.
  ~OffloadedJobs();

  bool none() const noexcept { return jobs_ == 0; }
  /// Whether one more, with so many bytes of data, is within the bounds.
  bool has_room(std::size_t data_bytes) const noexcept;
  /// False, and nothing has happened, where there is no memory for it.
  bool submit(DiskJob& job, std::size_t data_bytes) noexcept;

  /// Readable when a job has finished.
  int fd() const noexcept { return wakeup_.get(); }
  /// Sleeps until one has; there must be one.
  void await_finished() noexcept;
  /// The next one that has finished, or null.
  EntryPtr take_finished() noexcept;

  /// What has not begun is not done any more: nobody waits for an answer.
  void abandon() noexcept { abandoned_.store(true, std::memory_order_relaxed); }

 private:
  void finished(Entry& entry) noexcept;

  BlockDevice& device_;
  const Agreement& agreement_;
  UniqueFd wakeup_;  // eventfd
  std::mutex mutex_;
  Fifo<WorkerPool::Job> finished_;
  std::atomic<bool> abandoned_{false};
  std::size_t jobs_ = 0;       // submitted and not yet taken
  std::size_t job_bytes_ = 0;  // that their data takes
  WorkerPool::Line line_;      // last: goes first, and waits for the pool
};

}  // namespace reprise::blk::nbd
