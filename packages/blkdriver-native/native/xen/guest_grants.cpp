#include "xen/guest_grants.h"

#include <sys/mman.h>

// Xen's headers are C and do not say so.
extern "C" {
#include <xen/grant_table.h>
#include <xengnttab.h>
}

#include <cassert>
#include <cerrno>
#include <cstring>
#include <string>

#include "error.h"

namespace reprise::blk::xen {

void GuestGrants::Close::operator()(xengntdev_handle* handle) const noexcept {
  ::xengnttab_close(handle);
}

GuestGrants::GuestGrants(std::uint32_t domain, std::size_t most_persistent)
    : domain_(domain), handle_(::xengnttab_open(nullptr, 0)) {
  if (!handle_) {
    throw Error(ErrorCode::kXenUnavailable,
                "/dev/xen/gntdev cannot be opened. Load the module xen-gntdev and run this as root "
                "in dom0.",
                "/dev/xen/gntdev", errno);
  }
  if (most_persistent > 0) persistent_.emplace(static_cast<FrameMapper&>(*this), most_persistent);
}

GuestGrants::~GuestGrants() {
  persistent_.reset();
  if (!ring_.empty()) {
    ::xengnttab_unmap(handle_.get(), ring_.data(),
                      static_cast<std::uint32_t>(ring_.size() / kFrameBytes));
  }
}

std::span<std::byte> GuestGrants::map_ring(std::span<const std::uint32_t> grefs) {
  assert(ring_.empty());
  std::vector<std::uint32_t> refs(grefs.begin(), grefs.end());
  void* const address =
      ::xengnttab_map_domain_grant_refs(handle_.get(), static_cast<std::uint32_t>(refs.size()),
                                        domain_, refs.data(), PROT_READ | PROT_WRITE);
  if (address == nullptr) {
    throw Error(ErrorCode::kXenFailed,
                "The ring of domain " + std::to_string(domain_) +
                    " cannot be mapped. Restart the guest's block driver, or the guest.",
                {}, errno);
  }
  ring_ = {static_cast<std::byte*>(address), refs.size() * kFrameBytes};
  return ring_;
}

std::byte* GuestGrants::map(std::uint32_t gref) noexcept {
  void* const address =
      ::xengnttab_map_grant_ref(handle_.get(), domain_, gref, PROT_READ | PROT_WRITE);
  if (address != nullptr) persistent_count_.fetch_add(1, std::memory_order_relaxed);
  return static_cast<std::byte*>(address);
}

void GuestGrants::unmap(std::byte* frame) noexcept {
  ::xengnttab_unmap(handle_.get(), frame, 1);
  persistent_count_.fetch_sub(1, std::memory_order_relaxed);
}

template <typename Copy>
bool GuestGrants::through_mappings(std::span<const FramePart> parts, Copy&& copy) {
  if (!persistent_) return false;
  std::size_t done = 0;
  for (const FramePart& part : parts) {
    const auto frame = persistent_->frame(part.gref);
    if (frame.empty()) return false;
    copy(frame.subspan(part.offset, part.length), done);
    done += part.length;
  }
  return true;
}

std::error_code GuestGrants::copy_in(std::span<const FramePart> parts, std::span<std::byte> out) {
  const bool done = through_mappings(parts, [&](std::span<std::byte> frame, std::size_t at) {
    std::memcpy(out.subspan(at, frame.size()).data(), frame.data(), frame.size());
  });
  return done ? std::error_code{} : grant_copy(Direction::kIn, parts, out.data());
}

std::error_code GuestGrants::copy_out(std::span<const FramePart> parts,
                                      std::span<const std::byte> in) {
  const bool done = through_mappings(parts, [&](std::span<std::byte> frame, std::size_t at) {
    std::memcpy(frame.data(), in.subspan(at, frame.size()).data(), frame.size());
  });
  // The interface has one structure for both directions; this one is only read from.
  return done ? std::error_code{}
              : grant_copy(Direction::kOut, parts, const_cast<std::byte*>(in.data()));
}

std::error_code GuestGrants::grant_copy(Direction direction, std::span<const FramePart> parts,
                                        std::byte* local) {
  std::array<xengnttab_grant_copy_segment_t, kMostIndirectSegments> copies;
  assert(parts.size() <= copies.size());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    auto& copy = copies[i];
    copy = {};
    auto& guest = direction == Direction::kIn ? copy.source : copy.dest;
    auto& own = direction == Direction::kIn ? copy.dest : copy.source;
    guest.foreign.ref = parts[i].gref;
    guest.foreign.offset = static_cast<std::uint16_t>(parts[i].offset);
    guest.foreign.domid = static_cast<std::uint16_t>(domain_);
    own.virt = local;
    copy.len = static_cast<std::uint16_t>(parts[i].length);
    copy.flags = direction == Direction::kIn ? GNTCOPY_source_gref : GNTCOPY_dest_gref;
    local += parts[i].length;
  }
  if (::xengnttab_grant_copy(handle_.get(), static_cast<std::uint32_t>(parts.size()),
                             copies.data()) != 0) {
    return last_os_error();
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (copies[i].status != GNTST_okay) return os_error_code(std::errc::bad_address);
  }
  return {};
}

}  // namespace reprise::blk::xen
