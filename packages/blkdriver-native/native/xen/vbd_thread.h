#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "platform/unique_fd.h"
#include "xen/connection.h"
#include "xen/vbd.h"

namespace reprise::blk::xen {

/// Serves one device to one guest: follows the handshake in xenstore and, while
/// connected, the ring. One thread does both, so nothing below needs a lock; it
/// sleeps in one poll and does a bounded amount of work between two of them.
class VbdThread final : public Vbd {
 public:
  /// Offers the device to the guest when it returns. Throws Error. `device` outlives it.
  VbdThread(BlockDevice& device, const VbdOptions& options, VbdEnded ended);
  VbdThread(const VbdThread&) = delete;
  VbdThread& operator=(const VbdThread&) = delete;
  ~VbdThread() override;

  void close(VbdClose how) override;
  VbdReport report() const override;

 private:
  enum class Wish : std::uint8_t { kServe, kClose, kLeave };
  using Clock = std::chrono::steady_clock;

  void run() noexcept;
  void serve_until_end();
  /// False when it is over. Asks xenstore, three round trips, only where something may have changed
  /// there: when a watch has fired, and while the device is being closed.
  bool follow_handshake();
  /// One round of the ring. True where more waits there already.
  bool follow_ring();
  void wait(bool busy);
  void begin_close();
  void connect(Connection::Start start);
  void disconnect();
  void end(VbdEnd why, const std::string& error = {});
  /// The device is gone for good: no successor will ask for what its ring was.
  void forget();
  void note(const std::string& error);
  Situation look();

  BlockDevice& device_;
  const VbdOptions options_;
  const VbdEnded ended_;
  Xenstore store_;
  VbdNodes nodes_;
  ResponseJournal journal_;
  UniqueFd wake_;  // eventfd
  std::atomic<Wish> wish_{Wish::kServe};
  std::atomic<bool> stop_ring_{false};
  std::optional<Clock::time_point> close_by_;
  bool look_due_ = true;  // a change of our own state is due a look, too: it fires our watch

  mutable std::mutex mutex_;  // of what report() reads and the thread changes
  std::unique_ptr<Connection> connection_;
  VbdReport report_;

  std::mutex closing_;  // one close() joins
  std::thread thread_;
};

}  // namespace reprise::blk::xen
