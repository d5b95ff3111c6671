// The digest exchange. First the source asks, for each page that the base cannot explain, whether
// the replay holds it at its own place: a few bits each. If the answers make it likely that much
// more stands elsewhere, it asks about the rest once more, by fingerprints wide enough to be looked
// up anywhere. The destination answers one adaptively coded bit a question, and a check over each
// group of answers that say yes: a fingerprint that matched by chance is noticed before anything is
// built on it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bytes.h"
#include "fingerprint.h"
#include "image.h"

namespace reprise::differ {

inline constexpr unsigned kMinQuestionBits = 1;
inline constexpr unsigned kMaxQuestionBits = 64;
// Questions answered with yes that share a check of 32 bits.
inline constexpr std::size_t kAnswersPerCheck = 16;
// Fingerprints that the destination shows of what it has besides, to estimate what a second round
// brings.
inline constexpr std::size_t kSampleSize = 64;

// Fingerprints in plan order, cut to `bits`, with what they are about. In the first round `places`
// (Location::packed, one a question, RAM ascending, then disk); in the second `selected`, a byte (0
// or 1) for each question that the first round left open.
struct QuestionSubject {
  std::span<const std::uint64_t> places;
  std::span<const std::uint8_t> selected;
};
Bytes encodeQuestions(const QuestionSubject& subject, std::span<const std::uint64_t> fingerprints,
                      unsigned bits, const Fingerprinter& fingerprinter);

// What the destination knows before it reads a message: nothing in it can make more than this.
struct QuestionLimits {
  // Of the state that is asked about, by space: a page is asked about once.
  std::array<std::uint64_t, 2> pages{};
  // Questions that the first round left open; without, only questions about places are taken.
  std::optional<std::uint64_t> open;
};

class Questions {
 public:
  // Throws QUESTIONS_CORRUPT, or QUESTIONS_MISMATCH (another key, algorithm, version or number of
  // open questions).
  Questions(std::span<const std::uint8_t> bytes, const Fingerprinter& fingerprinter,
            const QuestionLimits& limits);

  std::size_t count() const { return cuts_.size(); }
  // One a question; empty when they ask about anywhere.
  const std::vector<std::uint64_t>& pages() const { return pages_; }
  // One for each question that an earlier round left open; empty when they ask about places.
  const std::vector<std::uint8_t>& selected() const { return selected_; }
  std::uint64_t mask() const { return mask_; }
  const std::vector<std::uint64_t>& cuts() const { return cuts_; }

 private:
  std::uint64_t mask_ = 0;
  std::vector<std::uint64_t> pages_;
  std::vector<std::uint8_t> selected_;
  std::vector<std::uint64_t> cuts_;
};

struct Match {
  std::uint64_t question;
  std::uint64_t location;     // Location::packed in the replayed state
  std::uint64_t fingerprint;  // the whole of it
};

// Cut fingerprints as `Questions` read them, with the mask that cut them.
struct CutFingerprints {
  std::span<const std::uint64_t> cuts;
  std::uint64_t mask;
};

// Which questions about `places` (one a cut) the replay answers; numbered from 0.
std::vector<Match> matchAtPlaces(std::span<const std::uint64_t> places, CutFingerprints asked,
                                 const StateImages& replay, const Fingerprinter& fingerprinter);

// Which questions the given pages of `image` answer; each at most once.
std::vector<Match> matchAnywhere(CutFingerprints asked, const Image& image,
                                 std::span<const std::uint64_t> pages,
                                 const Fingerprinter& fingerprinter);

// The smallest fingerprints among the given pages: a sample that both sides draw alike.
std::vector<std::uint64_t> sampleFingerprints(const StateImages& state,
                                              std::span<const std::uint64_t> pages,
                                              const Fingerprinter& fingerprinter);

// `known` holds one byte (0 or 1) a question, `fingerprints` one word for each 1.
Bytes encodeAnswers(std::span<const std::uint8_t> known,
                    std::span<const std::uint64_t> fingerprints,
                    std::span<const std::uint64_t> sample);

// A yes whose group's check failed: some member of it matched by chance.
inline constexpr std::uint8_t kDoubtful = 2;

struct DecodedAnswers {
  std::vector<std::uint8_t> known;    // 0, 1 or kDoubtful
  std::vector<std::uint32_t> sample;  // high halves, ascending
};
// `fingerprints`: of all questions. Throws ANSWERS_CORRUPT,
// or ANSWERS_MISMATCH when they answer another number of questions.
DecodedAnswers decodeAnswers(std::span<const std::uint8_t> bytes,
                             std::span<const std::uint64_t> fingerprints);

}  // namespace reprise::differ
