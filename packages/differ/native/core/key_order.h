// Entries of many parts in the order of their keys, a group at a time. No second copy of them all
// is made: fresh memory is what a large sort would wait for most.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace reprise::differ {

// A group is what shares the leading bits of its keys.
inline constexpr unsigned kMaxGroupBits = 8;

template <typename Entry>
class KeyOrder {
 public:
  // Puts each piece of the parts into the order of its groups, in place.
  KeyOrder(std::span<const std::span<Entry>> parts, unsigned groupBits) : groupBits_(groupBits) {
    std::vector<Entry> scratch(kPieceEntries);
    for (const std::span<Entry> part : parts) {
      for (std::size_t at = 0; at < part.size(); at += kPieceEntries) {
        const auto piece = part.subspan(at, std::min(kPieceEntries, part.size() - at));
        pieces_.push_back({piece.data(), {}});
        partition(piece, pieces_.back().ends, scratch);
      }
    }
  }

  std::size_t groups() const { return std::size_t{1} << groupBits_; }

  // The entries of a group, in no order of their own, put into `group`.
  void gather(std::size_t number, std::vector<Entry>& group) const {
    group.clear();
    for (const Piece& piece : pieces_) {
      const std::size_t begin = number == 0 ? 0 : piece.ends[number - 1];
      group.insert(group.end(), piece.entries + begin, piece.entries + piece.ends[number]);
    }
  }

 private:
  // Stays in a processor's own cache.
  static constexpr std::size_t kPieceEntries = 16384;
  using Ends = std::array<std::uint16_t, std::size_t{1} << kMaxGroupBits>;

  struct Piece {
    const Entry* entries;
    Ends ends;
  };

  std::size_t groupOf(const Entry& entry) const {
    return groupBits_ == 0 ? 0 : entry.key() >> (64 - groupBits_);
  }

  void partition(std::span<Entry> piece, Ends& ends, std::vector<Entry>& scratch) const {
    Ends next{};
    for (const Entry& entry : piece) ++ends[groupOf(entry)];
    for (std::size_t i = 1; i < groups(); ++i) {
      next[i] = ends[i - 1];
      ends[i] = static_cast<std::uint16_t>(ends[i] + ends[i - 1]);
    }
    for (const Entry& entry : piece) scratch[next[groupOf(entry)]++] = entry;
    std::copy_n(scratch.begin(), piece.size(), piece.begin());
  }

  unsigned groupBits_;
  std::vector<Piece> pieces_;
};

}  // namespace reprise::differ
