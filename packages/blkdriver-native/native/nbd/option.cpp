#include "nbd/option.h"

#include <algorithm>

#include "nbd/wire.h"

namespace reprise::blk::nbd {

bool InfoRequest::wants(InfoType type) const noexcept {
  return std::find(wanted.begin(), wanted.end(), type) != wanted.end();
}

std::optional<InfoRequest> parse_info_request(std::span<const std::byte> payload) {
  WireReader in(payload);
  InfoRequest request;
  const auto name_bytes = in.take<std::uint32_t>();
  if (name_bytes > kMostNameBytes) return std::nullopt;
  request.name = in.take_text(name_bytes);
  const auto count = in.take<std::uint16_t>();
  for (std::uint16_t i = 0; i < count && in.ok(); ++i) {
    request.wanted.push_back(in.take<std::uint16_t>());
  }
  if (!in.finished()) return std::nullopt;
  return request;
}

std::optional<MetaRequest> parse_meta_request(std::span<const std::byte> payload) {
  WireReader in(payload);
  MetaRequest request;
  const auto name_bytes = in.take<std::uint32_t>();
  if (name_bytes > kMostNameBytes) return std::nullopt;
  request.name = in.take_text(name_bytes);
  const auto count = in.take<std::uint32_t>();
  if (count > kMostMetaQueries) return std::nullopt;
  for (std::uint32_t i = 0; i < count && in.ok(); ++i) {
    const auto length = in.take<std::uint32_t>();
    if (length > kMostNameBytes) return std::nullopt;
    request.queries.push_back(in.take_text(length));
  }
  if (!in.finished()) return std::nullopt;
  return request;
}

}  // namespace reprise::blk::nbd
