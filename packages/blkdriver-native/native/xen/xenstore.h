#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xen/xenbus_state.h"

struct xs_handle;

namespace reprise::blk::xen {

/// A connection to xenstore. Belongs to one thread. Values come from the guest as
/// well as from the toolstack, so reads are typed and bounded here. The daemon is
/// trusted: its calls have no deadline, as in every toolstack.
class Xenstore {
 public:
  /// Throws Error(kXenUnavailable) where this is no Xen host.
  Xenstore();

  std::optional<std::string> read(const std::string& path) const;
  /// Nothing unless it is a decimal number up to `most`.
  std::optional<std::uint64_t> read_number(const std::string& path, std::uint64_t most) const;
  /// Nothing where the node does not exist; kUnknown for nonsense.
  std::optional<XenbusState> read_state(const std::string& path) const;
  std::vector<std::string> list(const std::string& path) const;

  /// Throws Error(kXenFailed).
  void write(const std::string& path, std::string_view value);
  void write_number(const std::string& path, std::uint64_t value) {
    write(path, std::to_string(value));
  }
  /// Makes the node and lets `owner` write and `reader` read what is in it. Throws
  /// Error(kXenFailed).
  void make_directory(const std::string& path, std::uint32_t owner, std::uint32_t reader);
  /// Removing what is not there is no error.
  void remove(const std::string& path) noexcept;

  /// Throws Error(kXenFailed). Fires once at the start, too.
  void watch(const std::string& path);
  int fd() const noexcept;
  /// Takes up to `most` of the watches that have fired, and says whether any had; which they were
  /// does not matter here.
  bool drain_watches(unsigned most) noexcept;

 private:
  struct Close {
    void operator()(xs_handle* handle) const noexcept;
  };
  std::unique_ptr<xs_handle, Close> handle_;
};

/// The decimal number that all of `text` is, up to `most`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t most) noexcept;

}  // namespace reprise::blk::xen
