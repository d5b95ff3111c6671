#include "similarity.h"

#include <algorithm>

#include "compare.h"

namespace reprise::differ {
namespace {

constexpr std::size_t kWindow = 32;
constexpr std::size_t kStep = 16;
constexpr std::size_t kMuchAlike = 400;  // of 512 words: a better reference would hardly help
constexpr std::size_t kBestPerEntry = 3;
constexpr unsigned kFilterBits = 20;
// A feature that so many searched pages share says little, and would cost much.
constexpr std::ptrdiff_t kMaxSharers = 64;

std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

std::size_t equalWords(const std::uint8_t* a, const std::uint8_t* b) {
  std::size_t equal = 0;
  for (std::size_t i = 0; i < kPageSize; i += 8) equal += load64(a + i) == load64(b + i) ? 1 : 0;
  return equal;
}

std::uint64_t filterBit(std::uint64_t hash) {
  return hash & ((1u << kFilterBits) - 1);
}

}  // namespace

Sketch sketchOf(const std::uint8_t* page) {
  Sketch sketch;
  sketch.fill(kNowhere);
  for (std::size_t i = 0; i + kWindow <= kPageSize; i += kStep) {
    const std::uint64_t a = load64(page + i), b = load64(page + i + 8);
    const std::uint64_t c = load64(page + i + 16), d = load64(page + i + 24);
    if (a == b && b == c && c == d) continue;  // zeros and fillers resemble everything
    std::uint64_t hash = (a * 0x9E3779B97F4A7C15u) ^ ((b + 0x7F4A7C15u) * 0xC2B2AE3D27D4EB4Fu) ^
                         ((c + 3) * 0x165667B19E3779F9u) ^ ((d + 5) * 0x85EBCA77C2B2AE63u);
    hash = (hash ^ hash >> 29) * 0xBF58476D1CE4E5B9u;
    hash ^= hash >> 32;
    std::uint64_t& smallest = sketch[hash >> 61];
    smallest = std::min(smallest, hash);
  }
  return sketch;
}

SimilaritySearch::SimilaritySearch(const StateImages& base, const StateImages& target,
                                   std::span<const std::uint64_t> pages)
    : filter_((1u << kFilterBits) / 64), own_(pages.begin(), pages.end()) {
  alignas(64) std::uint8_t scratchA[kPageSize];
  alignas(64) std::uint8_t scratchB[kPageSize];
  for (std::size_t entry = 0; entry < pages.size(); ++entry) {
    const Location at{pages[entry]};
    const std::uint8_t* page = target.of(at.space()).page(at.page(), MutablePage(scratchA));
    const std::uint8_t* before = base.of(at.space()).page(at.page(), MutablePage(scratchB));
    if (!isZeroPage(before) && equalWords(page, before) >= kMuchAlike) continue;
    for (const std::uint64_t hash : sketchOf(page)) {
      if (hash == kNowhere) continue;
      features_.push_back({hash, static_cast<std::uint32_t>(entry)});
      filter_[filterBit(hash) / 64] |= std::uint64_t{1} << (filterBit(hash) % 64);
    }
  }
  std::sort(features_.begin(), features_.end(), [](const Feature& a, const Feature& b) {
    return a.hash != b.hash ? a.hash < b.hash : a.entry < b.entry;
  });
}

std::vector<Resemblance> SimilaritySearch::scan(const Image& image, Space space,
                                                std::uint64_t first, std::uint64_t count) const {
  std::vector<std::array<Resemblance, kBestPerEntry>> best(
      own_.size(), {Resemblance{0, kNowhere, 0}, {0, kNowhere, 0}, {0, kNowhere, 0}});
  std::vector<std::uint32_t> voters;
  visitHeldPages(image, first, count, [&](std::uint64_t number, const std::uint8_t* page) {
    if (isZeroPage(page)) return;
    voters.clear();
    for (const std::uint64_t hash : sketchOf(page)) {
      if (hash == kNowhere) continue;
      if ((filter_[filterBit(hash) / 64] >> (filterBit(hash) % 64) & 1) == 0) continue;
      auto it =
          std::lower_bound(features_.begin(), features_.end(), hash,
                           [](const Feature& f, std::uint64_t value) { return f.hash < value; });
      for (std::ptrdiff_t n = 0; n < kMaxSharers && it != features_.end() && it->hash == hash;
           ++it, ++n) {
        voters.push_back(it->entry);
      }
    }
    std::sort(voters.begin(), voters.end());
    for (std::size_t i = 0, next; i < voters.size(); i = next) {
      for (next = i; next < voters.size() && voters[next] == voters[i];) ++next;
      Resemblance found{voters[i], Location::of(space, number).packed, next - i};
      if (found.location == own_[found.entry]) continue;
      for (Resemblance& kept : best[found.entry]) {
        if (found.votes > kept.votes) std::swap(found, kept);
      }
    }
  });
  std::vector<Resemblance> out;
  for (const auto& list : best) {
    for (const Resemblance& kept : list) {
      if (kept.location != kNowhere) out.push_back(kept);
    }
  }
  return out;
}

}  // namespace reprise::differ
