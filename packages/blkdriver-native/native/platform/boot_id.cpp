#include "platform/boot_id.h"

#include <fcntl.h>
#include <sys/random.h>

#include <cctype>
#include <string>

#include "error.h"
#include "platform/file.h"

namespace reprise::blk {

Identifier boot_id() {
  const std::filesystem::path path = "/proc/sys/kernel/random/boot_id";
  const UniqueFd fd = open_file(path, O_RDONLY);
  std::array<std::byte, 64> text{};
  if (auto error = read_at(fd.get(), text, 0)) throw_os_error("read", path, error.value());
  Identifier id{};
  std::size_t digits = 0;
  for (const std::byte byte : text) {
    const char c = static_cast<char>(byte);
    if (!std::isxdigit(static_cast<unsigned char>(c)) || digits == 32) continue;
    const unsigned value = static_cast<unsigned>(
        std::isdigit(static_cast<unsigned char>(c)) ? c - '0' : std::tolower(c) - 'a' + 10);
    id[digits / 2] = (id[digits / 2] << 4) | static_cast<std::byte>(value);
    ++digits;
  }
  return id;
}

Identifier random_identifier() {
  Identifier id{};
  if (::getrandom(id.data(), id.size(), 0) != static_cast<ssize_t>(id.size())) {
    throw_os_error("read", "/dev/urandom", errno);
  }
  return id;
}

}  // namespace reprise::blk
