#include "nbd/handshake.h"

#include <algorithm>

#include "nbd/option.h"
#include "nbd/wire.h"

namespace reprise::blk::nbd {
namespace {

/// Real clients send under ten.
constexpr unsigned kMostOptions = 256;
constexpr std::size_t kOptionHeaderBytes = 16;
constexpr std::size_t kExportNamePadding = 124;

void reply(std::vector<std::byte>& out, std::uint32_t option, std::uint32_t type,
           std::span<const std::byte> payload = {}) {
  WireWriter(out)
      .put(kMagicOptionReply)
      .put(option)
      .put(type)
      .put(static_cast<std::uint32_t>(payload.size()));
  out.insert(out.end(), payload.begin(), payload.end());
}

void refuse(std::vector<std::byte>& out, std::uint32_t option, std::uint32_t type,
            std::string_view reason) {
  reply(out, option, type, std::as_bytes(std::span(reason)));
}

}  // namespace

void Handshake::greet(std::vector<std::byte>& out) const {
  WireWriter(out)
      .put(kMagicNbd)
      .put(kMagicOption)
      .put(static_cast<std::uint16_t>(kFlagFixedNewstyle | kFlagNoZeroes));
}

std::size_t Handshake::advance(std::span<const std::byte> in, std::vector<std::byte>& out) {
  std::size_t used = 0;
  while (state_ != State::kTransmission && state_ != State::kClosed) {
    const auto rest = in.subspan(used);
    std::size_t n = 0;
    if (state_ == State::kClientFlags) {
      n = client_flags(rest);
    } else if (state_ == State::kSkipping) {
      n = std::min<std::size_t>(rest.size(), skip_bytes_);
      skip_bytes_ -= static_cast<std::uint32_t>(n);
      if (skip_bytes_ == 0) state_ = State::kOption;
    } else {
      n = option(rest, out);
    }
    if (n == 0) break;
    used += n;
  }
  return used;
}

std::size_t Handshake::client_flags(std::span<const std::byte> in) {
  if (in.size() < 4) return 0;
  const auto flags = load<std::uint32_t>(in);
  no_zeroes_ = (flags & kFlagNoZeroes) != 0;
  const bool known = (flags & ~std::uint32_t{kFlagFixedNewstyle | kFlagNoZeroes}) == 0;
  state_ = known ? State::kOption : State::kClosed;
  return 4;
}

std::size_t Handshake::option(std::span<const std::byte> in, std::vector<std::byte>& out) {
  if (in.size() < kOptionHeaderBytes) return 0;
  const auto number = load<std::uint32_t>(in.subspan(8));
  const auto length = load<std::uint32_t>(in.subspan(12));
  if (load<std::uint64_t>(in) != kMagicOption || options_ == kMostOptions) {
    state_ = State::kClosed;
    return kOptionHeaderBytes;
  }
  if (length > kMostOptionBytes) {
    // EXPORT_NAME cannot be answered by an error, only by hanging up.
    if (number == kOptExportName) {
      state_ = State::kClosed;
      return kOptionHeaderBytes;
    }
    state_ = State::kSkipping;
    skip_bytes_ = length;
    refuse(out, number, kRepErrTooBig, "option too long");
    ++options_;
    return kOptionHeaderBytes;
  }
  if (in.size() < kOptionHeaderBytes + length) return 0;
  ++options_;
  answer(number, in.subspan(kOptionHeaderBytes, length), out);
  return kOptionHeaderBytes + length;
}

void Handshake::answer(std::uint32_t option, std::span<const std::byte> payload,
                       std::vector<std::byte>& out) {
  switch (option) {
    case kOptExportName:
      return export_name(payload, out);
    case kOptAbort:
      reply(out, option, kRepAck);
      state_ = State::kClosed;
      return;
    case kOptList:
      return list(payload, out);
    case kOptInfo:
    case kOptGo:
      return info_or_go(option, payload, out);
    case kOptStructuredReply:
      return structured_reply(payload, out);
    case kOptListMetaContext:
    case kOptSetMetaContext:
      return meta_context(option, payload, out);
    case kOptStartTls:
      return refuse(out, option, kRepErrPolicy, "a unix socket has no TLS");
    default:
      return refuse(out, option, kRepErrUnsup, "unknown option");
  }
}

void Handshake::export_name(std::span<const std::byte> payload, std::vector<std::byte>& out) {
  const std::string_view name(reinterpret_cast<const char*>(payload.data()), payload.size());
  if (name.size() > kMostNameBytes || !is_export(name)) {
    state_ = State::kClosed;
    return;
  }
  WireWriter(out).put(export_.size_bytes).put(transmission_flags());
  if (!no_zeroes_) out.resize(out.size() + kExportNamePadding);
  state_ = State::kTransmission;
}

void Handshake::list(std::span<const std::byte> payload, std::vector<std::byte>& out) const {
  if (!payload.empty()) return refuse(out, kOptList, kRepErrInvalid, "LIST takes no data");
  std::vector<std::byte> entry;
  WireWriter(entry).put(static_cast<std::uint32_t>(export_.name.size())).put(export_.name);
  reply(out, kOptList, kRepServer, entry);
  reply(out, kOptList, kRepAck);
}

void Handshake::info_or_go(std::uint32_t option, std::span<const std::byte> payload,
                           std::vector<std::byte>& out) {
  const auto request = parse_info_request(payload);
  if (!request) return refuse(out, option, kRepErrInvalid, "malformed request");
  if (!is_export(request->name)) return refuse(out, option, kRepErrUnknown, "no such export");

  std::vector<std::byte> info;
  WireWriter(info)
      .put(static_cast<std::uint16_t>(kInfoExport))
      .put(export_.size_bytes)
      .put(transmission_flags());
  reply(out, option, kRepInfo, info);
  if (request->wants(kInfoName)) {
    info.clear();
    WireWriter(info).put(static_cast<std::uint16_t>(kInfoName)).put(export_.name);
    reply(out, option, kRepInfo, info);
  }
  info.clear();
  WireWriter(info)
      .put(static_cast<std::uint16_t>(kInfoBlockSize))
      .put(kMinimumBlockBytes)
      .put(kPreferredBlockBytes)
      .put(kMostPayloadBytes);
  reply(out, option, kRepInfo, info);
  reply(out, option, kRepAck);
  if (option == kOptGo) state_ = State::kTransmission;
}

void Handshake::structured_reply(std::span<const std::byte> payload, std::vector<std::byte>& out) {
  if (!payload.empty()) {
    return refuse(out, kOptStructuredReply, kRepErrInvalid, "STRUCTURED_REPLY takes no data");
  }
  agreement_.structured_replies = true;
  reply(out, kOptStructuredReply, kRepAck);
}

void Handshake::meta_context(std::uint32_t option, std::span<const std::byte> payload,
                             std::vector<std::byte>& out) {
  const bool setting = option == kOptSetMetaContext;
  if (setting) agreement_.contexts.clear();
  const auto request = parse_meta_request(payload);
  if (!request) return refuse(out, option, kRepErrInvalid, "malformed request");
  if (!agreement_.structured_replies) {
    return refuse(out, option, kRepErrInvalid, "negotiate structured replies first");
  }
  if (!is_export(request->name)) return refuse(out, option, kRepErrUnknown, "no such export");

  std::vector<MetaContext> matched;
  for (const std::string_view query : request->queries) match_contexts(query, !setting, matched);
  if (!setting && request->queries.empty()) {
    matched.assign(std::begin(kMetaContexts), std::end(kMetaContexts));
  }
  for (const MetaContext& context : matched) {
    std::vector<std::byte> entry;
    // A listing names contexts, it gives them no identity.
    WireWriter(entry).put(setting ? context.id : 0).put(context.name);
    reply(out, option, kRepMetaContext, entry);
  }
  reply(out, option, kRepAck);
  if (setting) agreement_.contexts = std::move(matched);
}

std::uint16_t Handshake::transmission_flags() const noexcept {
  return static_cast<std::uint16_t>(export_.flags | (agreement_.structured_replies ? kSendDf : 0));
}

}  // namespace reprise::blk::nbd
