#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "xen/vbd.h"
#include "xen/xenstore.h"

namespace reprise::blk::xen {

/// What a frontend wants to be connected to, read once and checked.
struct FrontendRing {
  std::uint32_t event_channel = 0;
  std::vector<std::uint32_t> grefs;  ///< one a page, a power of two of them
  Abi abi = kAbi64;
  bool persistent_grants = false;
};

/// The device's nodes in xenstore: which there are, and what goes into them.
class VbdNodes {
 public:
  /// Throws Error: kXenNoDomain, or kXenFailed where the toolstack should have
  /// made the nodes and has not.
  VbdNodes(Xenstore& store, const VbdOptions& options);

  /// For a device that the toolstack does not know. Keeps what a killed predecessor left.
  void make();
  void remove() noexcept;

  Situation look(bool connected) const;
  bool read_only() const;

  void publish_features(const VbdFeatures& features);
  /// The disk's own facts: before the state becomes Connected, because then they are read.
  void publish_disk(std::uint64_t sectors, bool read_only);
  void set_state(XenbusState state);
  /// Sectors that were published for the connection that is being taken over.
  std::optional<std::uint64_t> published_sectors() const;
  /// What was offered, by us or by a predecessor: that holds for the connection.
  std::uint16_t offered_indirect_segments() const;
  bool offered_discard() const;

  /// Throws Error(kXenFailed) where the frontend's nodes make no sense.
  FrontendRing read_ring() const;

  void watch();

 private:
  Xenstore& store_;
  const std::uint32_t domain_;
  const std::uint32_t device_;
  const bool read_only_;
  std::string backend_;  ///< paths
  std::string frontend_;
  std::string kind_;
};

}  // namespace reprise::blk::xen
