#include "xen/response_journal.h"

#include <fcntl.h>

#include <atomic>

#include "platform/file.h"

namespace reprise::blk::xen {
namespace {

constexpr std::size_t kFileBytes = kFrameBytes;
/// Marks a whole record; the index stands beside it, so that one store makes both.
constexpr std::uint64_t kWhole = 0x52504a31;  // "RPJ1"

constexpr std::uint64_t sealed(std::uint32_t index) noexcept {
  return kWhole << 32 | index;
}

MappedFile map_journal(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDWR | O_CREAT);
  // Real space: a store into a hole of a full file system would be a signal.
  if (auto error = reserve(fd.get(), 0, kFileBytes)) {
    throw_os_error("reserve space for", path, error.value());
  }
  return MappedFile(fd.get(), kFileBytes, true, path);
}

}  // namespace

struct ResponseJournal::Entry {
  std::uint64_t seal;  // stored last
  RingIdentity ring;
  Response response;
};

ResponseJournal::ResponseJournal(const std::filesystem::path& path) : map_(map_journal(path)) {
  static_assert(sizeof(Entry) <= 64);
}

ResponseJournal::Entry& ResponseJournal::entry() const noexcept {
  return *reinterpret_cast<Entry*>(map_.data());
}

void ResponseJournal::begin(const RingIdentity& ring) noexcept {
  std::atomic_ref(entry().seal).store(0);
  entry().ring = ring;
}

bool ResponseJournal::served_another_disk(const RingIdentity& ring) const noexcept {
  return entry().ring.same_ring(ring) && entry().ring.disk != ring.disk;
}

std::optional<Response> ResponseJournal::unfinished(const RingIdentity& ring,
                                                    std::uint32_t index) const noexcept {
  const Entry& found = entry();
  if (!found.ring.same_ring(ring) || std::atomic_ref(entry().seal).load() != sealed(index))
    return std::nullopt;
  return found.response;
}

void ResponseJournal::record(std::uint32_t index, const Response& response) noexcept {
  std::atomic_ref(entry().seal).store(0);
  entry().response = response;
  std::atomic_ref(entry().seal).store(sealed(index), std::memory_order_release);
  // The processor may not, and the compiler must not, move the ring's stores before this.
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

}  // namespace reprise::blk::xen
