// SPDX-License-Identifier: GPL-2.0-or-later
#include "qemu/symbols.h"

namespace reprise::vclock {

std::variant<Symbols, std::string> resolve_symbols(const Lookup& lookup) {
  Symbols symbols;
#define REPRISE_RESOLVE(result, name, parameters)                       \
  symbols.name = reinterpret_cast<result(*) parameters>(lookup(#name)); \
  if (symbols.name == nullptr) return std::string(#name);
  REPRISE_QEMU_SYMBOLS(REPRISE_RESOLVE)
#undef REPRISE_RESOLVE
  return symbols;
}

}  // namespace reprise::vclock
