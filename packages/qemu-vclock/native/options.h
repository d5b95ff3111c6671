// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "session/session.h"

namespace reprise::vclock {

/** What stands behind the plugin's path in -plugin, such as `socket=/run/x/vclock`. */
struct Options {
  std::string socket;
  Mutations mutations;
};

/**
 * The options, or a sentence about the first that is wrong. `mutable_rules`: rules may be switched
 * off, for tests.
 */
std::variant<Options, std::string> parse_options(std::span<const std::string_view> arguments,
                                                 bool mutable_rules);

}  // namespace reprise::vclock
