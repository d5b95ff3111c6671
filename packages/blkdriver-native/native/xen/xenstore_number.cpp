#include <charconv>

#include "xen/xenstore.h"

namespace reprise::blk::xen {

// Beside the rest of xenstore.h: it needs no Xen, and so its tests do not.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t most) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

}  // namespace reprise::blk::xen
