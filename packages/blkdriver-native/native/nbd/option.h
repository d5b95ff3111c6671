#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "nbd/protocol.h"

namespace reprise::blk::nbd {

/// The protocol's own limit of a name.
inline constexpr std::size_t kMostNameBytes = 4096;
/// An option that says more is answered "too big" and skipped.
inline constexpr std::uint32_t kMostOptionBytes = 32 << 10;
inline constexpr std::size_t kMostMetaQueries = 64;

/// INFO and GO.
struct InfoRequest {
  std::string_view name;
  std::vector<std::uint16_t> wanted;

  bool wants(InfoType type) const noexcept;
};
/// Views point into `payload`. Nothing where it is malformed.
std::optional<InfoRequest> parse_info_request(std::span<const std::byte> payload);

/// LIST_META_CONTEXT and SET_META_CONTEXT.
struct MetaRequest {
  std::string_view name;
  std::vector<std::string_view> queries;
};
std::optional<MetaRequest> parse_meta_request(std::span<const std::byte> payload);

}  // namespace reprise::blk::nbd
