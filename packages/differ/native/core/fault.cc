#include "fault.h"

#include <system_error>

namespace reprise::differ {

Fault systemFault(std::string code, const std::string& what, int error) {
  return Fault(std::move(code), what + ": " + std::generic_category().message(error) +
                                    ". Check the path, its permissions and the free space.");
}

}  // namespace reprise::differ
