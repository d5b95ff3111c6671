#include "device/statistics.h"

namespace reprise::blk {

std::error_code Statistics::counted(std::error_code error) noexcept {
  if (error) add(errors_);
  return error;
}

std::error_code Statistics::read(std::uint64_t offset, std::span<std::byte> out, Wait wait) {
  const std::error_code error = below().read(offset, out, wait);
  // A read that would have slept comes again: it is neither served nor failed.
  if (error == std::errc::resource_unavailable_try_again) return error;
  add(reads_);
  add(read_bytes_, out.size());
  return counted(error);
}

std::error_code Statistics::write(std::uint64_t offset, std::span<const std::byte> data) {
  add(writes_);
  add(write_bytes_, data.size());
  return counted(below().write(offset, data));
}

std::error_code Statistics::flush() {
  add(flushes_);
  return counted(below().flush());
}

std::error_code Statistics::trim(std::uint64_t offset, std::uint64_t length) {
  add(trims_);
  return counted(below().trim(offset, length));
}

std::error_code Statistics::zero(std::uint64_t offset, std::uint64_t length, ZeroOptions options) {
  add(zeroes_);
  return counted(below().zero(offset, length, options));
}

DeviceCounts Statistics::counts() const noexcept {
  const auto get = [](const Counter& c) { return c.load(std::memory_order_relaxed); };
  return {get(reads_),   get(read_bytes_), get(writes_), get(write_bytes_),
          get(flushes_), get(trims_),      get(zeroes_), get(errors_)};
}

}  // namespace reprise::blk
