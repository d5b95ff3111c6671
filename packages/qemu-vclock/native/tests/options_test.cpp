// SPDX-License-Identifier: GPL-2.0-or-later
#include "options.h"

#include <doctest/doctest.h>

#include <array>

using namespace reprise::vclock;

TEST_CASE("a socket is needed, and nothing unknown is taken") {
  const std::array<std::string_view, 1> good{"socket=/run/x"};
  CHECK(std::get<Options>(parse_options(good, false)).socket == "/run/x");
  CHECK(std::holds_alternative<std::string>(parse_options({}, false)));
  const std::array<std::string_view, 2> odd{"socket=/run/x", "sockets=2"};
  CHECK(std::get<std::string>(parse_options(odd, false)).find("sockets=2") != std::string::npos);
}

TEST_CASE("rules are switched off in the build for tests only") {
  const std::array<std::string_view, 2> given{"socket=/run/x", "mutation=disk-batches"};
  CHECK(std::get<Options>(parse_options(given, true)).mutations.disk_batches);
  CHECK(std::holds_alternative<std::string>(parse_options(given, false)));
}
