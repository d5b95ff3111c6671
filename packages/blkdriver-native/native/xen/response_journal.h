#pragma once

#include <filesystem>
#include <optional>
#include <span>

#include "platform/boot_id.h"
#include "platform/mapped_file.h"
#include "xen/back_ring.h"

namespace reprise::blk::xen {

/// Which ring a journal belongs to: a journal of another one says nothing.
struct RingIdentity {
  std::uint32_t domain = 0;
  std::uint32_t event_channel = 0;
  std::uint32_t first_gref = 0;
  Identifier disk{};  ///< what it was served

  bool same_ring(const RingIdentity& other) const noexcept {
    return domain == other.domain && event_channel == other.event_channel &&
           first_gref == other.first_gref;
  }
};

/// Closes the one gap in which a killed backend would lose a request: a response
/// is written over the request's slot before the producer index says so, and in
/// between the slot is neither. So the response is written down here first, in a
/// mapped file that outlives the process, together with its index. Whoever takes
/// over and finds the index of the next response here publishes what stands here,
/// and does not look at the slot.
///
/// One cache line; the cost is a few stores a request.
class ResponseJournal {
 public:
  /// Opens or creates the file. Throws Error.
  explicit ResponseJournal(const std::filesystem::path& path);

  /// For a new ring: forgets what was there.
  void begin(const RingIdentity& ring) noexcept;
  /// For a ring that is taken over: whether it was another disk that its guest lost.
  bool served_another_disk(const RingIdentity& ring) const noexcept;
  /// For a ring that is taken over: the response with `index` where its
  /// publication had begun.
  std::optional<Response> unfinished(const RingIdentity& ring, std::uint32_t index) const noexcept;

  /// Before a response goes into the ring.
  void record(std::uint32_t index, const Response& response) noexcept;

 private:
  struct Entry;
  Entry& entry() const noexcept;

  MappedFile map_;
};

}  // namespace reprise::blk::xen
