#pragma once

#include <cstdint>
#include <string>

#include "xen/vbd.h"

namespace reprise::blk::xen {

/// One line of JSON: what has come over the rings.
std::string to_json(std::uint32_t device, const VbdReport& report);

}  // namespace reprise::blk::xen
