#pragma once

#include <cstdint>

#include "device/block_device.h"
#include "nbd/busy_poll.h"
#include "nbd/handshake.h"
#include "nbd/offloaded_jobs.h"
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

  /// Serves until the client disconnects, hangs up or breaks the protocol. What the pool
  /// still does for this connection is waited for by the destructor.
  void run();

 private:
  /// Whether the client said that it goes.
  bool serve_requests();
  bool serve(const Request& request);
  bool serve_write(const Request& request, WireError refusal);
  void serve_read(const Request& request);
  void serve_read_in_pieces(const Request& request);
  bool read_inline(const Request& request, std::uint64_t offset, std::uint32_t length, bool done,
                   std::error_code& error);
  bool await_payload(std::size_t bytes);
  bool await_input();

  void offload(DiskJob job, std::size_t data_bytes = 0);
  void answer_finished();
  void answer(DiskJob& job);

  int socket_;
  BlockDevice& device_;
  const Agreement& agreement_;
  InputBuffer& input_;
  ReplyWriter reply_;
  BusyPoll busy_poll_;
  Tuning tuning_;
  OffloadedJobs jobs_;
};

}  // namespace reprise::blk::nbd
