#include "questions.h"

#include <algorithm>

#include "fault.h"
#include "range_coder.h"

namespace reprise::differ {
namespace {

constexpr std::uint8_t kVersion = 1;

std::uint64_t maskOf(unsigned bits) {
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

// The answers' bits, each in the context of the four before it.
template <typename Coder>
class AnswerModel {
 public:
  unsigned code(Coder& coder, unsigned bit) {
    bit = codeBit(coder, models_[history_ & 15], bit);
    history_ = history_ << 1 | bit;
    return bit;
  }

 private:
  std::array<BitModel, 16> models_;
  unsigned history_ = 0;
};

}  // namespace

Bytes encodeQuestions(std::span<const std::uint64_t> fingerprints, unsigned bits,
                      const Fingerprinter& fingerprinter) {
  if (bits < kMinQuestionBits || bits > kMaxQuestionBits) {
    throw Fault("ARGUMENT_INVALID", "A question has 1 to 64 bits. Pass a width in this range.");
  }
  Bytes out{kVersion, static_cast<std::uint8_t>(fingerprinter.algorithm()),
            static_cast<std::uint8_t>(bits)};
  putLittleEndian(out, static_cast<std::uint32_t>(fingerprinter.keyCheck()));
  putVarint(out, fingerprints.size());
  unsigned __int128 pending = 0;
  unsigned held = 0;
  for (const std::uint64_t fingerprint : fingerprints) {
    pending |= static_cast<unsigned __int128>(fingerprint & maskOf(bits)) << held;
    for (held += bits; held >= 8; held -= 8) {
      out.push_back(static_cast<std::uint8_t>(pending));
      pending >>= 8;
    }
  }
  if (held > 0) out.push_back(static_cast<std::uint8_t>(pending));
  return out;
}

Questions::Questions(std::span<const std::uint8_t> bytes, const Fingerprinter& fingerprinter) {
  ByteReader reader(bytes, "QUESTIONS_CORRUPT",
                    "The source's questions are damaged. Ask the source to send them again.");
  const std::uint8_t version = reader.byte();
  const std::uint8_t algorithm = reader.byte();
  const unsigned bits = reader.byte();
  const auto keyCheck = reader.littleEndian<std::uint32_t>();
  if (version != kVersion || algorithm != static_cast<std::uint8_t>(fingerprinter.algorithm()) ||
      keyCheck != static_cast<std::uint32_t>(fingerprinter.keyCheck())) {
    throw Fault("QUESTIONS_MISMATCH",
                "The source's questions use another key, algorithm or version. Seed the machine "
                "again, or bring both hosts to one version.");
  }
  const std::uint64_t count = reader.varint();
  if (bits < kMinQuestionBits || bits > kMaxQuestionBits || count >= UINT32_MAX ||
      (count * bits + 7) / 8 != reader.remaining()) {
    reader.fail();
  }
  mask_ = maskOf(bits);
  sorted_.reserve(count);
  unsigned __int128 pending = 0;
  unsigned held = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (; held < bits; held += 8) {
      pending |= static_cast<unsigned __int128>(reader.byte()) << held;
    }
    sorted_.push_back({static_cast<std::uint64_t>(pending) & mask_, static_cast<std::uint32_t>(i)});
    pending >>= bits;
    held -= bits;
  }
  std::sort(sorted_.begin(), sorted_.end(), [](const Entry& a, const Entry& b) {
    return a.cut != b.cut ? a.cut < b.cut : a.question < b.question;
  });
}

std::vector<Questions::Entry>::const_iterator Questions::lowerBound(std::uint64_t cut) const {
  return std::lower_bound(
      sorted_.begin(), sorted_.end(), cut,
      [](const Entry& entry, std::uint64_t value) { return entry.cut < value; });
}

std::vector<Match> matchQuestions(const Questions& questions, const Image& image,
                                  std::span<const std::uint64_t> pages,
                                  const Fingerprinter& fingerprinter) {
  alignas(64) std::uint8_t scratch[kPageSize];
  // Equal questions are answered once: a hostile list of them must not cost questions x pages.
  std::vector<bool> answered(questions.count());
  std::vector<Match> matches;
  for (const std::uint64_t packed : pages) {
    const std::uint8_t* page = image.page(Location{packed}.page(), MutablePage(scratch));
    if (isZeroPage(page)) continue;
    questions.match(fingerprinter.of({page, kPageSize}).low, [&](std::uint32_t question) {
      if (answered[question]) return false;
      answered[question] = true;
      matches.push_back({question, packed});
      return true;
    });
  }
  return matches;
}

Bytes encodeAnswers(std::span<const std::uint8_t> known) {
  Bytes out{kVersion};
  putVarint(out, known.size());
  RangeEncoder coder;
  AnswerModel<RangeEncoder> model;
  for (const std::uint8_t bit : known) model.code(coder, bit != 0 ? 1 : 0);
  const Bytes bits = coder.finish();
  out.insert(out.end(), bits.begin(), bits.end());
  return out;
}

std::vector<std::uint8_t> decodeAnswers(std::span<const std::uint8_t> bytes,
                                        std::size_t questions) {
  ByteReader reader(bytes, "ANSWERS_CORRUPT",
                    "The destination's answers are damaged. Ask the destination again.");
  if (reader.byte() != kVersion) reader.fail();
  if (reader.varint() != questions) {
    throw Fault("ANSWERS_MISMATCH",
                "The answers do not fit the questions of this residue. Ask the destination again.");
  }
  RangeDecoder coder(reader.take(reader.remaining()));
  AnswerModel<RangeDecoder> model;
  std::vector<std::uint8_t> known(questions);
  for (auto& bit : known) bit = static_cast<std::uint8_t>(model.code(coder, 0));
  return known;
}

}  // namespace reprise::differ
