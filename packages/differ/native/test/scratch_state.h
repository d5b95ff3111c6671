// States made of few distinct pages, in a directory that goes with them.
#pragma once

#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>

#include "core/bytes.h"
#include "core/image.h"
#include "core/mapped_file.h"

namespace reprise::differ::test {

using Random = std::mt19937_64;

// Incompressible; equal for equal seeds.
inline void fillPage(std::uint8_t* page, std::uint64_t seed) {
  Random random(seed);
  for (std::size_t i = 0; i < kPageSize; i += 8) {
    const std::uint64_t word = random();
    std::memcpy(page + i, &word, 8);
  }
}

class ScratchDirectory {
 public:
  ScratchDirectory() {
    char path[] = "/tmp/differ-test-XXXXXX";
    if (mkdtemp(path) == nullptr) throw std::runtime_error("no scratch directory");
    path_ = path;
  }
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }
  ScratchDirectory(const ScratchDirectory&) = delete;
  ScratchDirectory& operator=(const ScratchDirectory&) = delete;

  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string file(const std::string& name, std::span<const std::uint8_t> content) const {
    const FileDescriptor out(file(name), O_RDWR | O_CREAT | O_TRUNC);
    out.writeAt(content, 0);
    return file(name);
  }

 private:
  std::string path_;
};

}  // namespace reprise::differ::test
