#include "platform/file.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>

#include <array>

using namespace reprise::blk;

TEST_CASE("a read that may not sleep is put off where the file system cannot say what it has") {
  std::array<std::byte, 16> out{};
  const UniqueFd unknown = open_file("/proc/self/status", O_RDONLY);
  CHECK(read_at(unknown.get(), out, 0, Wait::kNever) == std::errc::resource_unavailable_try_again);
  CHECK_FALSE(read_at(unknown.get(), out, 0, Wait::kAllowed));
}

TEST_CASE("a read that may not sleep is served from a file system that is memory") {
  const UniqueFd memory(::memfd_create("test", MFD_CLOEXEC));
  const std::array<std::byte, 16> data{std::byte{7}, std::byte{8}};
  REQUIRE_FALSE(write_at(memory.get(), data, 0));
  std::array<std::byte, 16> out{};
  REQUIRE_FALSE(read_at(memory.get(), out, 0, Wait::kNever));
  CHECK(out == data);
}
