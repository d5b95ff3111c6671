#include "page_model.h"

#include <algorithm>

#include "bit_mixer.h"
#include "match_follower.h"

namespace reprise::differ {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kWord = 8;
constexpr std::size_t kHistoryLimit = std::size_t{16} << 20;

constexpr std::uint32_t kMultiplier = 0x9E3779B1u;

std::uint32_t mixHash(std::uint32_t a, std::uint32_t b) {
  std::uint32_t h = a * 0x85EBCA6Bu ^ (b + 0x7F4A7C15u) * 0xC2B2AE35u;
  h ^= h >> 15;
  return h * kMultiplier;
}

std::uint64_t load64(const std::uint8_t* at) {
  std::uint64_t value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

unsigned lengthBucket(unsigned length) {
  if (length == 0) return 0;
  if (length < 16) return 1 + length / 4;
  if (length < 32) return 5;
  if (length < 64) return 6;
  return length < 512 ? 7 : 8;
}

}  // namespace

class PageModel::State {
 public:
  void learn(const std::uint8_t* page) {
    makeRoom();
    for (std::size_t i = 0; i < kPageSize; ++i) push(page[i]);
  }

  template <typename Coder>
  void code(Coder& coder, const std::uint8_t* reference, const std::uint8_t* source,
            std::uint8_t* page) {
    learn(reference);
    makeRoom();
    flags_ = 0;
    for (std::size_t block = 0; block < kPageSize; block += kBlock) {
      const bool equal = std::memcmp(source + block, reference + block, kBlock) == 0;
      if (codeFlag(coder, 0, block, reference, equal)) {
        for (std::size_t i = 0; i < kBlock; ++i) put(page, block + i, reference[block + i]);
        continue;
      }
      for (std::size_t word = block; word < block + kBlock; word += kWord) {
        codeWord(coder, reference, source, page, word);
      }
    }
  }

 private:
  template <typename Coder>
  void codeWord(Coder& coder, const std::uint8_t* reference, const std::uint8_t* source,
                std::uint8_t* page, std::size_t word) {
    const std::uint64_t value = load64(source + word);
    if (codeFlag(coder, 1, word, reference, value == load64(reference + word))) {
      for (std::size_t i = 0; i < kWord; ++i) put(page, word + i, reference[word + i]);
      return;
    }
    std::uint8_t predicted[kWord] = {};
    const bool follows = long_.read(history_, predicted, kWord);
    if (follows && load64(predicted) != load64(reference + word) &&
        codeFlag(coder, 2, word, reference, value == load64(predicted))) {
      for (std::size_t i = 0; i < kWord; ++i) put(page, word + i, predicted[i]);
      return;
    }
    for (std::size_t i = word; i < word + kWord; ++i) {
      put(page, i, codeByte(coder, reference, page, i, source[i]));
    }
  }

  // Bytes before the page read as zeros, so that contexts never look across pages by accident.
  static std::uint32_t at(const std::uint8_t* page, std::size_t i, std::size_t back) {
    return back <= i ? page[i - back] : 0u;
  }

  void put(std::uint8_t* page, std::size_t i, std::uint8_t value) {
    page[i] = value;
    push(value);
  }

  void push(std::uint8_t value) {
    history_.push_back(value);
    long_.advance(history_);
    short_.advance(history_);
    patient_.advance(history_);
  }

  void makeRoom() {
    if (history_.size() + kPageSize <= kHistoryLimit) return;
    // Keeps the newer half; positions in the tables refer to the old places, so they start anew.
    history_.erase(history_.begin(), history_.begin() + kHistoryLimit / 2);
    long_.forget();
    short_.forget();
    patient_.forget();
  }

  // level 0: the 64 B block equals the reference's; level 1: the word does.
  template <typename Coder>
  bool codeFlag(Coder& coder, unsigned level, std::size_t i, const std::uint8_t* reference,
                bool flag) {
    const std::uint32_t column = static_cast<std::uint32_t>(i / (level == 0 ? kBlock : kWord));
    const bool zero = load64(reference + i) == 0;
    const std::uint64_t word = load64(reference + i);
    const std::uint32_t recent = static_cast<std::uint32_t>(flags_);
    const std::uint32_t salt = level << 28;
    const std::uint32_t hashes[] = {
        mixHash(salt ^ (recent & 0xff), 1),
        mixHash(salt ^ (recent & 0xffff), 2),
        mixHash(salt ^ (recent & 7), mixHash(column, 3)),
        mixHash(salt ^ (recent & 3),
                mixHash(static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word))),
        mixHash(salt ^ (recent & 15), static_cast<std::uint32_t>(word >> 32) + 5),
        level == 2 ? mixHash(lengthBucket(long_.length()), 700)
                   : mixHash(salt ^ (lastFlags_[column + level * 64] & 15), (recent & 3) + 600),
    };
    const unsigned selector = level == 2 ? 32 + lengthBucket(long_.length())
                                         : level * 16 + (recent & 7) * 2 + (zero ? 1 : 0);
    flagMixer_.select(hashes);
    const unsigned bit =
        flagMixer_.code(coder, 1, nullptr, 0, selector, level, selector, flag ? 1 : 0);
    if (level == 2) return bit != 0;
    flags_ = flags_ << 1 | bit;
    std::uint8_t& last = lastFlags_[column + level * 64];
    last = static_cast<std::uint8_t>(last << 1 | bit);
    return bit != 0;
  }

  template <typename Coder>
  std::uint8_t codeByte(Coder& coder, const std::uint8_t* reference, const std::uint8_t* page,
                        std::size_t i, std::uint8_t value) {
    const std::uint32_t r = reference[i];
    const std::uint32_t c1 = at(page, i, 1), c2 = at(page, i, 2), c3 = at(page, i, 3);
    const std::uint32_t c4 = at(page, i, 4), c8 = at(page, i, 8), c16 = at(page, i, 16);
    const std::uint32_t column = static_cast<std::uint32_t>(i % kWord);
    const std::uint32_t r1 = i > 0 ? reference[i - 1] : 0u;
    const bool followed = c1 == r1;
    // The word before moved by some distance; perhaps this one moved by the same.
    const std::uint32_t shifted = (r + c8 - (i >= 8 ? reference[i - 8] : 0u)) & 255;
    const std::uint32_t words[kContexts] = {
        column,
        c1 | column << 8,
        c1 | c2 << 8,
        c1 | c2 << 8 | c3 << 16,
        c1 | c2 << 8 | c3 << 16 | c4 << 24,
        mixHash(c1 | c2 << 8 | c3 << 16 | c4 << 24, at(page, i, 5) | at(page, i, 6) << 8),
        r | (followed ? 256u : 0u) | column << 9,
        r | c1 << 8 | r1 << 16,
        r | shifted << 8 | column << 16,
        c8 | column << 8 | c1 << 16,
        c8 | c16 << 8 | column << 16,
        c8 | at(page, i, 7) << 8 | column << 16 | c1 << 24,
        c4 | at(page, i, 12) << 8 | column << 16,
        mixHash(c16 | at(page, i, 32) << 8 | column << 16, c1),
        mixHash(r | at(page, i, 64) << 8 | column << 16, 99),
        static_cast<std::uint32_t>(i),
    };
    std::uint32_t base[kContexts];
    for (unsigned k = 0; k < kContexts; ++k) base[k] = mixHash(words[k], k + 1);
    const MatchFollower* followers[kFollowers] = {&long_, &short_, &patient_};
    const std::uint32_t beside[kFollowers] = {400, r, 500 + patient_.misses() * 8 + column};
    unsigned predicted[kFollowers];
    for (unsigned m = 0; m < kFollowers; ++m) {
      predicted[m] = followers[m]->follows() ? followers[m]->predicted(history_) | 256u : 0u;
    }
    unsigned node = 1;
    for (unsigned shift = 8; shift-- > 0;) {
      unsigned expected[kFollowers];
      for (unsigned m = 0; m < kFollowers; ++m) {
        const bool alive = predicted[m] != 0 && predicted[m] >> (shift + 1) == node;
        expected[m] = alive ? predicted[m] >> shift & 1 : 2;
      }
      if (shift == 7 || shift == 3) {
        std::uint32_t hashes[kContexts + kFollowers];
        const std::uint32_t half = shift == 7 ? 0 : node;
        for (unsigned k = 0; k < kContexts; ++k) {
          hashes[k] = mixHash(base[k], half + 1);
        }
        for (unsigned m = 0; m < kFollowers; ++m) {
          const std::uint32_t guess = expected[m] == 2 ? 0u : predicted[m];
          hashes[kContexts + m] = mixHash(
              guess | lengthBucket(followers[m]->length()) << 9 | m << 16 | half << 20, beside[m]);
        }
        byteMixer_.select(hashes);
      }
      int extra[kFollowers];
      for (unsigned m = 0; m < kFollowers; ++m) {
        const int strength = static_cast<int>(std::min(followers[m]->length(), 32u)) * 24;
        extra[m] = expected[m] == 2 ? 0 : expected[m] == 1 ? strength : -strength;
      }
      const bool refAlive = (r | 256u) >> (shift + 1) == node;
      const unsigned refBit = refAlive ? (r >> shift & 1) : 2;
      const unsigned selectorA = lengthBucket(long_.length()) * 9 + expected[0] * 3 + refBit;
      const unsigned selectorB = column * 8 + (7 - shift);
      const unsigned inNibble =
          shift >= 4 ? node : (node & ((1u << (3 - shift)) - 1)) | 1u << (3 - shift);
      const unsigned bit =
          byteMixer_.code(coder, inNibble, extra, kFollowers, selectorA, selectorB,
                          expected[0] * 9 + expected[1] * 3 + refBit, value >> shift & 1);
      node = node << 1 | bit;
    }
    return static_cast<std::uint8_t>(node);
  }

  static constexpr unsigned kContexts = 16;
  static constexpr unsigned kFollowers = 3;
  std::vector<std::uint8_t> history_ = std::vector<std::uint8_t>(1);  // position 0 means "nowhere"
  MatchFollower long_{8};
  MatchFollower short_{4};
  MatchFollower patient_{12, true};
  BitMixer byteMixer_{kContexts + kFollowers, kFollowers, 17, 9 * 9, 64, 27};
  BitMixer flagMixer_{6, 0, 12, 48, 3, 48};
  std::uint64_t flags_ = 0;
  std::array<std::uint8_t, 64 + 512> lastFlags_{};
};

PageModel::PageModel() : state_(std::make_unique<State>()) {}
PageModel::~PageModel() = default;
PageModel::PageModel(PageModel&&) noexcept = default;

void PageModel::encode(RangeEncoder& coder, Page reference, Page page) {
  std::array<std::uint8_t, kPageSize> copy;
  state_->code(coder, reference.data(), page.data(), copy.data());
}

void PageModel::decode(RangeDecoder& coder, Page reference, MutablePage page) {
  alignas(64) static constexpr std::uint8_t kNothing[kPageSize] = {};
  state_->code(coder, reference.data(), kNothing, page.data());
}

void PageModel::learn(Page page) {
  state_->learn(page.data());
}

}  // namespace reprise::differ
