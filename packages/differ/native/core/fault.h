// Operating faults of the differ. The core throws `Fault`; the binding (and the fuzzers) catch it,
// so that no exception ever crosses into Node.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

namespace reprise::differ {

class Fault : public std::runtime_error {
 public:
  // `code` is stable and UPPER_SNAKE; `message` ends with what to do next.
  Fault(std::string code, const std::string& message)
      : std::runtime_error(message), code_(std::move(code)) {}

  const std::string& code() const { return code_; }

 private:
  std::string code_;
};

// A fault that carries the operating system's reason.
Fault systemFault(std::string code, const std::string& what, int error);

}  // namespace reprise::differ
