#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "device/block_device.h"
#include "nbd/busy_poll.h"
#include "nbd/handshake.h"
#include "nbd/reply.h"
#include "nbd/request.h"
#include "nbd/stream.h"
#include "nbd/worker_pool.h"

namespace reprise::blk::nbd {

/// The transmission phase of one connection, run by that connection's thread.
///
/// The thread does itself whatever the page cache can serve, straight between
/// the socket's buffers and the disk, and hands to the pool what would sleep.
/// Only this thread touches the socket, so a client that does not read its
/// replies blocks nobody else.
class Session {
 public:
  struct Tuning {
    /// Off: every read goes to the pool. For measurements and tests.
    bool inline_reads = true;
  };

  Session(int socket, BlockDevice& device, WorkerPool& pool, BusyPollSlot& busy_poll_slot,
          const Agreement& agreement, InputBuffer& input, OutputBuffer& output, Tuning tuning);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  /// Waits for what the pool still does for this connection.
  ~Session();

  /// Serves until the client disconnects, hangs up or breaks the protocol.
  void run();

 private:
  /// What the pool does for one request, or for one piece of a long READ.
  struct Job {
    Request request;
    std::uint64_t offset = 0;
    std::uint32_t length = 0;
    std::vector<std::byte> data;
    std::vector<std::vector<StatusExtent>> status;
    std::error_code error;
    std::shared_ptr<struct PiecewiseRead> whole;  // null: the job is the whole answer
  };
  using JobPtr = std::unique_ptr<Job>;

  bool serve(const Request& request);
  bool serve_write(const Request& request, WireError refusal);
  void serve_read(const Request& request);
  void serve_read_in_pieces(const Request& request);
  bool read_inline(const Request& request, std::uint64_t offset, std::uint32_t length, bool done,
                   std::error_code& error);
  bool await_payload(std::size_t bytes);
  bool await_input();

  void offload(JobPtr job, std::size_t data_bytes);
  void perform(Job& job);
  void collect_status(Job& job);
  std::size_t take_finished();
  void answer(Job& job);
  void await_finished();

  int socket_;
  BlockDevice& device_;
  WorkerPool& pool_;
  const Agreement& agreement_;
  InputBuffer& input_;
  ReplyWriter reply_;
  BusyPoll busy_poll_;
  Tuning tuning_;

  UniqueFd wakeup_;  // eventfd: a job has finished
  std::mutex finished_mutex_;
  std::vector<JobPtr> finished_;
  std::size_t jobs_ = 0;       // submitted and not yet answered
  std::size_t job_bytes_ = 0;  // that their data takes
};

}  // namespace reprise::blk::nbd
