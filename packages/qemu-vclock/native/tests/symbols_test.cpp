// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/symbols.h"

#include <doctest/doctest.h>

#include <cstring>

using namespace reprise::vclock;

TEST_CASE("a QEMU that lacks one symbol is refused by that symbol's name") {
  int something = 0;
  const auto lacks = [&](const char* missing) {
    return resolve_symbols([&, missing](const char* name) -> void* {
      return std::strcmp(name, missing) == 0 ? nullptr : &something;
    });
  };
  CHECK(std::get<std::string>(lacks("bdrv_drain_all")) == "bdrv_drain_all");
  CHECK(std::get<std::string>(lacks("qemu_clock_get_ns")) == "qemu_clock_get_ns");
  CHECK(std::holds_alternative<Symbols>(lacks("")));
}
