#include "questions.h"

#include <xxhash.h>

#include <algorithm>
#include <unordered_map>

#include "fault.h"
#include "range_coder.h"

namespace reprise::differ {
namespace {

constexpr std::uint8_t kVersion = 2;

std::uint64_t maskOf(unsigned bits) {
  return bits == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

// Codes ascending places as runs: the space, the gap from the run before, the length.
class PlaceModel {
 public:
  template <typename Coder>
  std::uint64_t codeCount(Coder& coder, std::uint64_t runs) {
    return runs_.code(coder, runs);
  }
  struct Run {
    std::uint64_t space, gap, count;
  };
  template <typename Coder>
  Run code(Coder& coder, const Run& run) {
    Run out{};
    out.space = codeBit(coder, space_, static_cast<unsigned>(run.space));
    out.gap = gap_.code(coder, run.gap);
    out.count = count_.code(coder, run.count - 1) + 1;
    return out;
  }

 private:
  NumberModel runs_, gap_, count_;
  BitModel space_;
};

Bytes encodePlaces(std::span<const std::uint64_t> pages) {
  std::vector<PlaceModel::Run> runs;
  std::uint64_t next[2] = {0, 0};
  for (const std::uint64_t packed : pages) {
    const Location at{packed};
    const auto space = static_cast<std::uint64_t>(at.space());
    if (!runs.empty() && runs.back().space == space && next[space] == at.page()) {
      ++runs.back().count;
    } else {
      runs.push_back({space, at.page() - next[space], 1});
    }
    next[space] = at.page() + 1;
  }
  RangeEncoder coder;
  PlaceModel model;
  model.codeCount(coder, runs.size());
  for (const auto& run : runs) model.code(coder, run);
  return coder.finish();
}

// Throws through `reader` unless the places are `count` in number and ascending within bounds.
std::vector<std::uint64_t> decodePlaces(std::span<const std::uint8_t> bytes, std::uint64_t count,
                                        const QuestionLimits& limits, const ByteReader& reader) {
  RangeDecoder coder(bytes);
  PlaceModel model;
  std::vector<std::uint64_t> pages;
  std::uint64_t next[2] = {0, 0};
  for (std::uint64_t runs = model.codeCount(coder, 0); runs > 0; --runs) {
    const PlaceModel::Run run = model.code(coder, {0, 0, 1});
    std::uint64_t& at = next[run.space];
    const std::uint64_t room = limits.pages[run.space] - at;
    if (run.count > count - pages.size() || run.gap > room || run.count > room - run.gap) {
      reader.fail();
    }
    at += run.gap;
    for (std::uint64_t i = 0; i < run.count; ++i) {
      pages.push_back(Location::of(static_cast<Space>(run.space), at++).packed);
    }
  }
  if (pages.size() != count) reader.fail();
  return pages;
}

std::uint32_t checkOf(std::span<const std::uint64_t> fingerprints) {
  return static_cast<std::uint32_t>(XXH3_64bits(fingerprints.data(), fingerprints.size_bytes()));
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

Bytes encodeSelection(std::span<const std::uint8_t> selected) {
  Bytes out;
  putVarint(out, selected.size());
  RangeEncoder coder;
  AnswerModel<RangeEncoder> model;
  for (const std::uint8_t bit : selected) model.code(coder, bit);
  const Bytes bits = coder.finish();
  out.insert(out.end(), bits.begin(), bits.end());
  return out;
}

constexpr std::uint8_t kAboutPlaces = 0;
constexpr std::uint8_t kAboutAnywhere = 1;

[[noreturn]] void notThisRound() {
  throw Fault("QUESTIONS_MISMATCH",
              "The source's questions do not fit what the rounds before left open. Start the "
              "migration again.");
}

}  // namespace

Bytes encodeQuestions(const QuestionSubject& subject, std::span<const std::uint64_t> fingerprints,
                      unsigned bits, const Fingerprinter& fingerprinter) {
  if (bits < kMinQuestionBits || bits > kMaxQuestionBits) {
    throw Fault("ARGUMENT_INVALID", "A question has 1 to 64 bits. Pass a width in this range.");
  }
  const bool anywhere = !subject.selected.empty();
  Bytes out{kVersion, static_cast<std::uint8_t>(fingerprinter.algorithm()),
            static_cast<std::uint8_t>(bits), anywhere ? kAboutAnywhere : kAboutPlaces};
  putLittleEndian(out, static_cast<std::uint32_t>(fingerprinter.keyCheck()));
  putVarint(out, fingerprints.size());
  const Bytes about = anywhere ? encodeSelection(subject.selected) : encodePlaces(subject.places);
  putVarint(out, about.size());
  out.insert(out.end(), about.begin(), about.end());
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

Questions::Questions(std::span<const std::uint8_t> bytes, const Fingerprinter& fingerprinter,
                     const QuestionLimits& limits) {
  ByteReader reader(bytes, "QUESTIONS_CORRUPT",
                    "The source's questions are damaged. Ask the source to send them again.");
  const std::uint8_t version = reader.byte();
  const std::uint8_t algorithm = reader.byte();
  const unsigned bits = reader.byte();
  const std::uint8_t mode = reader.byte();
  const auto keyCheck = reader.littleEndian<std::uint32_t>();
  if (version != kVersion || algorithm != static_cast<std::uint8_t>(fingerprinter.algorithm()) ||
      keyCheck != static_cast<std::uint32_t>(fingerprinter.keyCheck())) {
    throw Fault("QUESTIONS_MISMATCH",
                "The source's questions use another key, algorithm or version. Seed the machine "
                "again, or bring both hosts to one version.");
  }
  const std::uint64_t count = reader.varint();
  const auto about = reader.take(reader.varint());
  if (bits < kMinQuestionBits || bits > kMaxQuestionBits || mode > kAboutAnywhere ||
      count >= UINT32_MAX || count > limits.pages[0] + limits.pages[1] ||
      (count * bits + 7) / 8 != reader.remaining()) {
    reader.fail();
  }
  if ((mode == kAboutAnywhere) != limits.open.has_value()) notThisRound();
  if (mode == kAboutPlaces) {
    pages_ = decodePlaces(about, count, limits, reader);
  } else {
    ByteReader inner(about, "QUESTIONS_CORRUPT",
                     "The source's questions are damaged. Ask the source to send them again.");
    const std::uint64_t open = inner.varint();
    if (open != *limits.open) notThisRound();
    RangeDecoder coder(inner.take(inner.remaining()));
    AnswerModel<RangeDecoder> model;
    selected_.resize(open);
    std::uint64_t chosen = 0;
    for (auto& bit : selected_) {
      bit = static_cast<std::uint8_t>(model.code(coder, 0));
      chosen += bit;
    }
    if (chosen != count) reader.fail();
  }
  mask_ = maskOf(bits);
  cuts_.reserve(count);
  unsigned __int128 pending = 0;
  unsigned held = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    for (; held < bits; held += 8) {
      pending |= static_cast<unsigned __int128>(reader.byte()) << held;
    }
    cuts_.push_back(static_cast<std::uint64_t>(pending) & mask_);
    pending >>= bits;
    held -= bits;
  }
}

std::vector<Match> matchAtPlaces(std::span<const std::uint64_t> places, CutFingerprints asked,
                                 const StateImages& replay, const Fingerprinter& fingerprinter) {
  if (places.size() != asked.cuts.size()) {
    throw Fault("ARGUMENT_INVALID", "Each question about a place has one place. Pass as many.");
  }
  alignas(64) std::uint8_t scratch[kPageSize];
  replay.prefetch(places);
  std::vector<Match> matches;
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Location at{places[i]};
    const Image& image = replay.of(at.space());
    if (at.page() >= image.pageCount()) continue;
    const std::uint8_t* page = image.page(at.page(), MutablePage(scratch));
    if (isZeroPage(page)) continue;
    const std::uint64_t fingerprint = fingerprinter.of({page, kPageSize}).low;
    if (asked.cuts[i] == (fingerprint & asked.mask)) matches.push_back({i, at.packed, fingerprint});
  }
  return matches;
}

std::vector<Match> matchAnywhere(CutFingerprints asked, const Image& image,
                                 std::span<const std::uint64_t> pages,
                                 const Fingerprinter& fingerprinter) {
  alignas(64) std::uint8_t scratch[kPageSize];
  // Equal questions count as one: a hostile list of them must not cost questions x pages.
  std::unordered_map<std::uint64_t, std::uint32_t> open;
  for (std::size_t i = 0; i < asked.cuts.size(); ++i) {
    open.emplace(asked.cuts[i], static_cast<std::uint32_t>(i));
  }
  std::vector<Match> matches;
  for (const std::uint64_t packed : pages) {
    const std::uint8_t* page = image.page(Location{packed}.page(), MutablePage(scratch));
    if (isZeroPage(page)) continue;
    const std::uint64_t fingerprint = fingerprinter.of({page, kPageSize}).low;
    const auto found = open.find(fingerprint & asked.mask);
    if (found == open.end()) continue;
    matches.push_back({found->second, packed, fingerprint});
    open.erase(found);
  }
  return matches;
}

std::vector<std::uint64_t> sampleFingerprints(const StateImages& state,
                                              std::span<const std::uint64_t> pages,
                                              const Fingerprinter& fingerprinter) {
  alignas(64) std::uint8_t scratch[kPageSize];
  state.prefetch(pages);
  std::vector<std::uint64_t> all;
  for (const std::uint64_t packed : pages) {
    const Location at{packed};
    const std::uint8_t* page = state.of(at.space()).page(at.page(), MutablePage(scratch));
    if (!isZeroPage(page)) all.push_back(fingerprinter.of({page, kPageSize}).low);
  }
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  all.resize(std::min(all.size(), kSampleSize));
  return all;
}

Bytes encodeAnswers(std::span<const std::uint8_t> known,
                    std::span<const std::uint64_t> fingerprints,
                    std::span<const std::uint64_t> sample) {
  Bytes out{kVersion};
  putVarint(out, known.size());
  RangeEncoder coder;
  AnswerModel<RangeEncoder> model;
  for (const std::uint8_t bit : known) model.code(coder, bit != 0 ? 1 : 0);
  const Bytes bits = coder.finish();
  putVarint(out, bits.size());
  out.insert(out.end(), bits.begin(), bits.end());
  for (std::size_t i = 0; i < fingerprints.size(); i += kAnswersPerCheck) {
    const std::size_t size = std::min(kAnswersPerCheck, fingerprints.size() - i);
    putLittleEndian(out, checkOf(fingerprints.subspan(i, size)));
  }
  for (const std::uint64_t fingerprint : sample) {
    putLittleEndian(out, static_cast<std::uint32_t>(fingerprint >> 32));
  }
  return out;
}

DecodedAnswers decodeAnswers(std::span<const std::uint8_t> bytes,
                             std::span<const std::uint64_t> fingerprints) {
  ByteReader reader(bytes, "ANSWERS_CORRUPT",
                    "The destination's answers are damaged. Ask the destination again.");
  if (reader.byte() != kVersion) reader.fail();
  if (reader.varint() != fingerprints.size()) {
    throw Fault("ANSWERS_MISMATCH",
                "The answers do not fit the questions of this residue. Ask the destination again.");
  }
  RangeDecoder coder(reader.take(reader.varint()));
  AnswerModel<RangeDecoder> model;
  DecodedAnswers out;
  out.known.resize(fingerprints.size());
  std::vector<std::size_t> yes;
  for (std::size_t i = 0; i < out.known.size(); ++i) {
    out.known[i] = static_cast<std::uint8_t>(model.code(coder, 0));
    if (out.known[i] != 0) yes.push_back(i);
  }
  std::vector<std::uint64_t> group;
  for (std::size_t i = 0; i < yes.size(); i += kAnswersPerCheck) {
    const auto members = std::span(yes).subspan(i, std::min(kAnswersPerCheck, yes.size() - i));
    group.clear();
    for (const std::size_t question : members) group.push_back(fingerprints[question]);
    if (reader.littleEndian<std::uint32_t>() == checkOf(group)) continue;
    for (const std::size_t question : members) out.known[question] = kDoubtful;
  }
  if (reader.remaining() % 4 != 0 || reader.remaining() / 4 > kSampleSize) reader.fail();
  while (reader.remaining() > 0) out.sample.push_back(reader.littleEndian<std::uint32_t>());
  return out;
}

}  // namespace reprise::differ
