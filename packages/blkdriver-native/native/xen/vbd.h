#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "device/block_device.h"
#include "platform/boot_id.h"
#include "xen/request_executor.h"

// What the rest of the program sees of a virtual block device that is served to a
// Xen guest. Nothing here needs Xen's libraries: see module.h.
namespace reprise::blk::xen {

/// What is offered to the guest.
struct VbdFeatures {
  bool flush_cache = true;
  bool barriers = true;  ///< for frontends that know no flush
  bool discard = true;
  bool persistent_grants = true;
  std::uint16_t indirect_segments = kMostIndirectSegments;  ///< 0: none
  unsigned ring_page_order = kMostRingPageOrder;
};

struct VbdOptions {
  std::uint32_t domain = 0;
  std::uint32_t device = 0;  ///< as the guest numbers it: 51712 is xvda
  /// The directory of xenstore under backend/. "qdisk" is where libxl puts the
  /// disks that it leaves to a device model.
  std::string kind = "reprise";
  /// The toolstack knows nothing of the device: make its nodes, remove them at the end.
  bool make_nodes = true;
  bool read_only = false;
  /// Which disk it is: a guest whose backend has died is not given another one.
  Identifier disk{};
  VbdFeatures features;
  /// For the file that a successor needs after a kill; gone with the next boot, as the ring is.
  std::filesystem::path state_directory = "/run/reprise";
};

enum class VbdState : std::uint8_t { kWaiting, kConnected, kEnded };

/// Why a device is not served any more.
enum class VbdEnd : std::uint8_t {
  kNone,
  kClosed,        ///< by us
  kFrontendGone,  ///< the domain was destroyed, saved or turned off
  kRemoved,       ///< the toolstack took the device away
  kFailed,        ///< see VbdReport::error
};

struct VbdReport {
  VbdState state = VbdState::kWaiting;
  VbdEnd end = VbdEnd::kNone;
  std::string error;                ///< the last thing that went wrong, where something did
  std::uint64_t connections = 0;    ///< rings mapped since the start
  std::uint64_t taken_over = 0;     ///< of them, from a backend that had died
  std::uint64_t looks = 0;          ///< at the device's state in xenstore: not for every request
  std::uint64_t broken_rings = 0;   ///< given up because the guest broke the protocol
  std::uint32_t ring_requests = 0;  ///< capacity of the ring
  std::uint64_t persistent_frames = 0;
  VbdCounts counts;  ///< of all connections
};

enum class VbdClose : std::uint8_t {
  /// Asks the guest to let go of the disk, serves it meanwhile, and takes it away
  /// after `kCloseDeadline` in any case.
  kOrderly,
  /// Stops at once and leaves everything as it is: the guest waits for a successor.
  kLeave,
};
inline constexpr std::chrono::milliseconds kCloseDeadline{5000};

/// A device being served by a thread of its own.
class Vbd {
 public:
  virtual ~Vbd() = default;
  /// Idempotent, and from any thread; returns when nothing touches the device any more.
  virtual void close(VbdClose how) = 0;
  virtual VbdReport report() const = 0;
};

/// Called once, from the serving thread, when it ends by itself or by `close`.
using VbdEnded = std::function<void()>;

/// "xvda" is 51712, a number is itself; nothing for anything else.
std::optional<std::uint32_t> parse_device(std::string_view name) noexcept;
/// The other way round, for people and for frontends that want a name.
std::string device_name(std::uint32_t device);

}  // namespace reprise::blk::xen
