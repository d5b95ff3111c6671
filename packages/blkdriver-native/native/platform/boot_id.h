#pragma once

#include <array>
#include <cstddef>

namespace reprise::blk {

using Identifier = std::array<std::byte, 16>;

/// Names this boot of the machine: while it is the same, the page cache has lost nothing.
Identifier boot_id();

/// 16 random bytes.
Identifier random_identifier();

}  // namespace reprise::blk
