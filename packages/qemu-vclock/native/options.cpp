// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <algorithm>

namespace reprise::vclock {

std::variant<Options, std::string> parse_options(std::span<const std::string_view> arguments,
                                                 bool mutable_rules) {
  Options options;
  for (const auto argument : arguments) {
    const auto name = argument.substr(0, argument.find('='));
    const auto value = argument.substr(std::min(argument.size(), name.size() + 1));
    if (name == "socket")
      options.socket = value;
    else if (mutable_rules && argument == "mutation=inject-at-once") {
      options.mutations.inject_at_once = true;
    } else if (mutable_rules && argument == "mutation=disk-batches") {
      options.mutations.disk_batches = true;
    } else
      return "the option '" + std::string(argument) + "' is not known";
  }
  if (options.socket.empty()) return "it needs socket=PATH, where its controller connects";
  return options;
}

}  // namespace reprise::vclock
