#include "nbd/worker_pool.h"

#include <algorithm>

namespace reprise::blk::nbd {

WorkerPool::WorkerPool(unsigned threads) : most_for_a_line_(std::max(threads, 2u) - 1) {
  try {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
  } catch (...) {
    close();
    throw;
  }
}

void WorkerPool::close() noexcept {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  ready_.notify_all();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::submit(Line& line, Job& job) noexcept {
  const std::lock_guard lock(mutex_);
  line.waiting_.push(job);
  give_turn_locked(line);
}

void WorkerPool::finish(Line& line) noexcept {
  std::unique_lock lock(mutex_);
  line.ending_ = true;
  line_ended_.wait(lock, [&] { return line.working_ == 0 && line.waiting_.empty(); });
}

void WorkerPool::give_turn_locked(Line& line) noexcept {
  if (line.has_turn_ || line.waiting_.empty() || line.working_ >= most_for_a_line_) return;
  line.has_turn_ = true;
  turns_.push(line);
  ready_.notify_one();
}

void WorkerPool::run() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    ready_.wait(lock, [this] { return stopping_ || !turns_.empty(); });
    Line* const line = turns_.pop();
    if (line == nullptr) return;
    line->has_turn_ = false;
    Job* const job = line->waiting_.pop();  // who has a turn has a job
    ++line->working_;
    give_turn_locked(*line);
    lock.unlock();
    const bool done = job->turn();
    lock.lock();
    --line->working_;
    if (!done) line->waiting_.push(*job);
    give_turn_locked(*line);
    if (line->ending_) line_ended_.notify_all();
  }
}

}  // namespace reprise::blk::nbd
