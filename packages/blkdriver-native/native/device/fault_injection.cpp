#include "device/fault_injection.h"

namespace reprise::blk {

/// SplitMix64: each call takes the next number of the sequence.
std::error_code FaultInjection::draw(double rate) noexcept {
  if (rate <= 0) return {};
  constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15;
  std::uint64_t z = state_.fetch_add(kStep, std::memory_order_relaxed) + kStep;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  const double uniform = static_cast<double>(z >> 11) * 0x1.0p-53;
  return uniform < rate ? os_error_code(options_.error) : std::error_code{};
}

std::error_code FaultInjection::read(std::uint64_t offset, std::span<std::byte> out, Wait wait) {
  if (auto error = draw(options_.read_rate)) return error;
  return below().read(offset, out, wait);
}

std::error_code FaultInjection::write(std::uint64_t offset, std::span<const std::byte> data) {
  if (auto error = draw(options_.write_rate)) return error;
  return below().write(offset, data);
}

std::error_code FaultInjection::flush() {
  if (auto error = draw(options_.flush_rate)) return error;
  return below().flush();
}

std::error_code FaultInjection::trim(std::uint64_t offset, std::uint64_t length) {
  if (auto error = draw(options_.write_rate)) return error;
  return below().trim(offset, length);
}

std::error_code FaultInjection::zero(std::uint64_t offset, std::uint64_t length,
                                     ZeroOptions options) {
  if (auto error = draw(options_.write_rate)) return error;
  return below().zero(offset, length, options);
}

}  // namespace reprise::blk
