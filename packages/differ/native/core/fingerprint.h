// Fingerprints find equal pages; they never prove. Keyed with the VM's secret, so that a guest
// cannot craft collisions and a listener learns nothing from those that travel.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "page.h"

namespace reprise::differ {

enum class FingerprintAlgorithm : std::uint8_t { xxh3 = 1, sha1 = 2 };

struct Fingerprint {
  std::uint64_t low;
  std::uint64_t high;
  friend bool operator==(const Fingerprint&, const Fingerprint&) = default;
};

inline constexpr std::size_t kKeySize = 32;

class Fingerprinter {
 public:
  Fingerprinter(FingerprintAlgorithm algorithm, std::span<const std::uint8_t, kKeySize> key);
  ~Fingerprinter();
  Fingerprinter(const Fingerprinter&) = delete;
  Fingerprinter& operator=(const Fingerprinter&) = delete;

  Fingerprint of(std::span<const std::uint8_t> content) const;
  FingerprintAlgorithm algorithm() const { return algorithm_; }
  // Says whether two files were made with the same key, and nothing about the key.
  std::uint64_t keyCheck() const;

 private:
  struct Sha1;
  FingerprintAlgorithm algorithm_;
  std::array<std::uint8_t, kKeySize> key_;
  alignas(64) std::array<std::uint8_t, 192> secret_;
  std::unique_ptr<Sha1> sha1_;
};

}  // namespace reprise::differ
