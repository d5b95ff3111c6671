#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "nbd/fifo.h"

namespace reprise::blk::nbd {

/// A few threads for what would make a connection's own thread sleep: cold reads,
/// flushes, discards. Each connection has a line of its own, the lines take turns, and
/// no line has every thread: what one client asks for never waits for all that another did.
class WorkerPool {
 public:
  /// Something to do, in one turn or in several.
  class Job {
   public:
    virtual ~Job() = default;
    /// On a thread of the pool. True: done, and the pool does not touch the job any more.
    /// False: it wants another turn, behind what its line has waiting.
    virtual bool turn() noexcept = 0;
    Job* next = nullptr;
  };

  /// One client's jobs, first come, first served. Whoever submits bounds how many wait.
  class Line {
   public:
    explicit Line(WorkerPool& pool) noexcept : pool_(pool) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;
    ~Line() { finish(); }

    /// Waits until everything that was submitted is done.
    void finish() noexcept { pool_.finish(*this); }
    void submit(Job& job) noexcept { pool_.submit(*this, job); }

    Line* next = nullptr;

   private:
    friend class WorkerPool;

    WorkerPool& pool_;
    // Of the pool's mutex:
    Fifo<Job> waiting_;
    unsigned working_ = 0;  // threads that work for it
    bool has_turn_ = false;
    bool ending_ = false;
  };

  /// Throws std::system_error where there are no threads to be had.
  explicit WorkerPool(unsigned threads);
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { close(); }

  /// Ends the threads. Every line must be gone. Idempotent.
  void close() noexcept;

 private:
  void submit(Line& line, Job& job) noexcept;
  void finish(Line& line) noexcept;
  void give_turn_locked(Line& line) noexcept;
  void run() noexcept;

  /// One thread fewer than there are, so that another client finds one.
  const unsigned most_for_a_line_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable line_ended_;
  Fifo<Line> turns_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace reprise::blk::nbd
