#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <vector>

#include "blkif_slot.h"
#include "xen/back_ring.h"
#include "xen/guest_memory.h"

namespace reprise::blk::testing {

/// A guest's side of the interface in this process's memory: frames that can be
/// granted and revoked, a ring, and the frontend that uses it. Shared mappings,
/// so that a forked backend sees the same guest.
class BlkifGuest final : public xen::GuestMemory {
 public:
  BlkifGuest(unsigned ring_order, std::size_t frames, const xen::Abi& abi)
      : abi_(abi),
        ring_bytes_(xen::kFrameBytes << ring_order),
        frames_(frames),
        memory_(static_cast<std::byte*>(
            ::mmap(nullptr, total(), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    if (memory_ == MAP_FAILED) std::abort();
    index(xen::kRequestEvent).store(1);
    index(xen::kResponseEvent).store(1);
    capacity_ = xen::BackRing(ring(), abi, 0).capacity();
  }
  BlkifGuest(const BlkifGuest&) = delete;
  BlkifGuest& operator=(const BlkifGuest&) = delete;
  ~BlkifGuest() override { ::munmap(memory_, total()); }

  std::span<std::byte> ring() const { return {memory_, ring_bytes_}; }
  std::uint32_t capacity() const { return capacity_; }
  std::span<std::byte> frame(std::uint32_t gref) const {
    return {memory_ + ring_bytes_ + gref * xen::kFrameBytes, xen::kFrameBytes};
  }
  std::atomic_ref<std::uint32_t> index(std::size_t at) const {
    return std::atomic_ref(*reinterpret_cast<std::uint32_t*>(memory_ + at));
  }
  void revoke_from(std::uint32_t gref) { frames_ = gref; }

  bool full() const { return produced_ - consumed_ == capacity_; }
  std::uint32_t outstanding() const { return produced_ - consumed_; }
  void submit(const xen::BlkifRequest& request) {
    const Slot slot = encode_slot(request, abi_);
    std::memcpy(slot_at(produced_), slot.data(), abi_.slot_bytes);
    index(xen::kRequestProducer).store(++produced_);
  }
  std::optional<xen::Response> receive() {
    if (index(xen::kResponseProducer).load() == consumed_) {
      index(xen::kResponseEvent).store(consumed_ + 1);
      return std::nullopt;
    }
    xen::Response response;
    const std::byte* const slot = slot_at(consumed_++);
    std::memcpy(&response.id, slot, 8);
    std::memcpy(&response.op, slot + 8, 1);
    std::memcpy(&response.status, slot + 10, 2);
    return response;
  }

  std::error_code copy_in(std::span<const xen::FramePart> parts,
                          std::span<std::byte> out) override {
    for (const xen::FramePart& part : parts) {
      if (part.gref >= frames_) return std::make_error_code(std::errc::bad_address);
      const auto from = frame(part.gref).subspan(part.offset, part.length);
      std::memcpy(out.data(), from.data(), from.size());
      out = out.subspan(from.size());
    }
    return {};
  }
  std::error_code copy_out(std::span<const xen::FramePart> parts,
                           std::span<const std::byte> in) override {
    for (const xen::FramePart& part : parts) {
      if (part.gref >= frames_) return std::make_error_code(std::errc::bad_address);
      const auto to = frame(part.gref).subspan(part.offset, part.length);
      std::memcpy(to.data(), in.data(), to.size());
      in = in.subspan(to.size());
    }
    return {};
  }

 private:
  std::size_t total() const { return ring_bytes_ + frames_total_ * xen::kFrameBytes; }
  std::byte* slot_at(std::uint32_t n) const {
    return memory_ + xen::kRingHeaderBytes + (n & (capacity_ - 1)) * abi_.slot_bytes;
  }

  const xen::Abi abi_;
  const std::size_t ring_bytes_;
  std::size_t frames_;
  const std::size_t frames_total_ = frames_;
  std::byte* const memory_;
  std::uint32_t capacity_ = 0;
  std::uint32_t produced_ = 0;
  std::uint32_t consumed_ = 0;
};

/// Segments that cover `sectors` whole sectors from the start of frames `first_gref` on.
inline std::vector<xen::Segment> whole_frames(std::uint32_t first_gref, std::size_t sectors) {
  std::vector<xen::Segment> segments;
  for (std::size_t done = 0; done < sectors; done += xen::kSectorsPerFrame) {
    const std::size_t n = std::min<std::size_t>(xen::kSectorsPerFrame, sectors - done);
    segments.push_back({first_gref++, 0, static_cast<std::uint8_t>(n - 1)});
  }
  return segments;
}

}  // namespace reprise::blk::testing
