// The digest exchange: the source asks for pages by truncated keyed fingerprint, the destination
// says which of them its replay produced, one adaptively coded bit each.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bytes.h"
#include "fingerprint.h"
#include "image.h"

namespace reprise::differ {

inline constexpr unsigned kMinQuestionBits = 1;
inline constexpr unsigned kMaxQuestionBits = 64;

// Fingerprints in plan order, cut to `bits`.
Bytes encodeQuestions(std::span<const std::uint64_t> fingerprints, unsigned bits,
                      const Fingerprinter& fingerprinter);

class Questions {
 public:
  // Throws QUESTIONS_CORRUPT, or QUESTIONS_MISMATCH (another key, algorithm or version).
  Questions(std::span<const std::uint8_t> bytes, const Fingerprinter& fingerprinter);

  std::size_t count() const { return sorted_.size(); }

  // Calls visit(question number) for every question this fingerprint answers, until it says no.
  template <typename Visit>
  void match(std::uint64_t fingerprint, Visit visit) const {
    const std::uint64_t cut = fingerprint & mask_;
    for (auto it = lowerBound(cut); it != sorted_.end() && it->cut == cut; ++it) {
      if (!visit(it->question)) break;
    }
  }

 private:
  struct Entry {
    std::uint64_t cut;
    std::uint32_t question;
  };
  std::vector<Entry>::const_iterator lowerBound(std::uint64_t cut) const;

  std::uint64_t mask_ = 0;
  std::vector<Entry> sorted_;
};

struct Match {
  std::uint64_t question;
  std::uint64_t location;  // Location::packed in the replayed state
};

// Which questions the given pages of one space answer.
std::vector<Match> matchQuestions(const Questions& questions, const Image& image,
                                  std::span<const std::uint64_t> pages,
                                  const Fingerprinter& fingerprinter);

// `known` holds one byte (0 or 1) a question.
Bytes encodeAnswers(std::span<const std::uint8_t> known);
// Throws ANSWERS_CORRUPT, or ANSWERS_MISMATCH when they answer another number of questions.
std::vector<std::uint8_t> decodeAnswers(std::span<const std::uint8_t> bytes, std::size_t questions);

}  // namespace reprise::differ
