// What this machine's memory and the bare hash can do: the yardsticks of the bench.
#pragma once

#include <cstdint>

#include "image.h"

namespace reprise::differ {

struct Yardsticks {
  double memcpySeconds;  // the image's held pages, copied a 4 MiB window at a time
  double xxh3Seconds;    // the same, hashed page by page
  std::uint64_t bytes;
};

Yardsticks measureYardsticks(const Image& image);

}  // namespace reprise::differ
