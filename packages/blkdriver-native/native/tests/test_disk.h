#pragma once

#include <fcntl.h>

#include <memory>
#include <vector>

#include "device/disk.h"
#include "overlay/build.h"
#include "platform/file.h"
#include "random.h"
#include "scratch_directory.h"

namespace reprise::blk::testing {

using Bytes = std::vector<std::byte>;

inline Bytes random_bytes(Random& random, std::size_t n) {
  Bytes bytes(n);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

/// A random base image, and what it holds.
struct TestBase {
  std::filesystem::path path;
  Bytes content;
};

inline TestBase make_base(const ScratchDirectory& scratch, Random& random, std::size_t size) {
  TestBase base{scratch / "base", random_bytes(random, size)};
  const UniqueFd fd = open_file(base.path, O_RDWR | O_CREAT);
  if (write_at(fd.get(), base.content, 0)) std::abort();
  return base;
}

inline Bytes read_all(BlockDevice& device) {
  Bytes bytes(device.size_bytes());
  if (device.read(0, bytes, Wait::kAllowed)) std::abort();
  return bytes;
}

/// All records of the log, oldest first.
inline std::vector<Record> read_log(Cursor cursor) {
  std::vector<Record> all;
  std::vector<Record> batch(100);
  while (const std::size_t n = cursor.next(batch)) {
    all.insert(all.end(), batch.begin(), batch.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return all;
}

/// One write, trim or zero somewhere, done to the disk and to `model`.
inline void random_change(Random& random, BlockDevice& device, Bytes& model) {
  const std::uint64_t size = device.size_bytes();
  const bool aligned = random.below(2) == 0;
  const std::uint64_t unit = aligned ? kBlockSize : 1;
  const std::uint64_t offset = random.below(size / unit) * unit;
  const std::uint64_t most = std::min<std::uint64_t>(size - offset, 40'000);
  const std::uint64_t length = std::max<std::uint64_t>(1, random.below(most / unit + 1) * unit);
  const auto at = model.begin() + static_cast<std::ptrdiff_t>(offset);
  switch (random.below(6)) {
    case 0: {
      const BlockRange inside = blocks_inside(offset, length, size);
      const std::uint64_t begin = inside.offset_bytes();
      const std::uint64_t end = std::min(size, inside.end() * kBlockSize);
      if (!inside.empty()) std::fill(model.begin() + begin, model.begin() + end, std::byte{0});
      if (device.trim(offset, length)) std::abort();
      return;
    }
    case 1:
      std::fill(at, at + static_cast<std::ptrdiff_t>(length), std::byte{0});
      if (device.zero(offset, length, {.keep_allocated = random.below(2) == 0})) std::abort();
      return;
    default: {
      const Bytes data = random_bytes(random, length);
      std::copy(data.begin(), data.end(), at);
      if (device.write(offset, data)) std::abort();
    }
  }
}

}  // namespace reprise::blk::testing
