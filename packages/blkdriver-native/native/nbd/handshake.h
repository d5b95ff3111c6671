#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "nbd/meta_context.h"
#include "nbd/protocol.h"

namespace reprise::blk::nbd {

/// What is exported. A server has one export; the empty name means it too.
struct Export {
  std::string name;
  std::uint64_t size_bytes = 0;
  std::uint16_t flags = kHasFlags | kSendFlush | kSendFua | kSendTrim | kSendWriteZeroes |
                        kCanMultiConn | kSendCache | kSendFastZero;
};

/// What the two sides agreed on.
struct Agreement {
  bool structured_replies = false;
  std::vector<MetaContext> contexts{};
};

/// The fixed newstyle handshake, as a machine that is fed bytes and does no I/O
/// of its own: the server feeds it from a socket, the fuzzer from anywhere.
class Handshake {
 public:
  enum class State { kClientFlags, kOption, kSkipping, kTransmission, kClosed };

  explicit Handshake(const Export& served) : export_(served) {}

  /// What the server says first.
  void greet(std::vector<std::byte>& out) const;

  /// Uses what it can of `in` and appends what to send to `out`. Returns the
  /// number of bytes used; at kTransmission the rest is the first request's.
  std::size_t advance(std::span<const std::byte> in, std::vector<std::byte>& out);

  State state() const noexcept { return state_; }
  const Agreement& agreement() const noexcept { return agreement_; }

 private:
  std::size_t client_flags(std::span<const std::byte> in);
  std::size_t option(std::span<const std::byte> in, std::vector<std::byte>& out);
  void answer(std::uint32_t option, std::span<const std::byte> payload,
              std::vector<std::byte>& out);
  void export_name(std::span<const std::byte> payload, std::vector<std::byte>& out);
  void list(std::span<const std::byte> payload, std::vector<std::byte>& out) const;
  void info_or_go(std::uint32_t option, std::span<const std::byte> payload,
                  std::vector<std::byte>& out);
  void structured_reply(std::span<const std::byte> payload, std::vector<std::byte>& out);
  void meta_context(std::uint32_t option, std::span<const std::byte> payload,
                    std::vector<std::byte>& out);
  bool is_export(std::string_view name) const noexcept {
    return name.empty() || name == export_.name;
  }
  std::uint16_t transmission_flags() const noexcept;

  const Export& export_;
  State state_ = State::kClientFlags;
  Agreement agreement_;
  bool no_zeroes_ = false;
  std::uint32_t skip_bytes_ = 0;
  unsigned options_ = 0;
};

}  // namespace reprise::blk::nbd
