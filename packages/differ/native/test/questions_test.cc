#include "core/questions.h"

#include <doctest/doctest.h>

#include "core/fault.h"
#include "scratch_state.h"

using namespace reprise::differ;

namespace {

const std::array<std::uint8_t, kKeySize> kKey = {1, 2, 3};
const QuestionLimits kAnyPlace{{1 << 20, 1 << 20}, std::nullopt};

std::string codeOf(std::span<const std::uint8_t> bytes, const QuestionLimits& limits) {
  try {
    Questions(bytes, Fingerprinter(FingerprintAlgorithm::xxh3, kKey), limits);
    return "";
  } catch (const Fault& fault) {
    return fault.code();
  }
}

std::vector<std::uint64_t> randomPlaces(test::Random& random) {
  std::vector<std::uint64_t> places;
  for (const Space space : {Space::ram, Space::disk}) {
    std::uint64_t at = random() % 50;
    for (std::uint64_t i = random() % 60; i > 0; --i) {
      places.push_back(Location::of(space, at).packed);
      at += random() % 4 == 0 ? 1 + random() % 1000 : 1;
    }
  }
  return places;
}

}  // namespace

TEST_CASE("questions of every width come back with their places") {
  test::Random random(7);
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, kKey);
  for (unsigned bits = kMinQuestionBits; bits <= kMaxQuestionBits; ++bits) {
    const auto places = randomPlaces(random);
    std::vector<std::uint64_t> fingerprints(places.size());
    for (auto& fingerprint : fingerprints) fingerprint = random();
    const Bytes bytes = encodeQuestions({places, {}}, fingerprints, bits, fingerprinter);
    const Questions questions(bytes, fingerprinter, kAnyPlace);
    REQUIRE(questions.pages() == places);
    for (std::size_t i = 0; i < places.size(); ++i) {
      CHECK(questions.cuts()[i] == (fingerprints[i] & questions.mask()));
    }
  }
}

TEST_CASE("questions about anywhere come back with their selection") {
  test::Random random(8);
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, kKey);
  std::vector<std::uint8_t> selected(500);
  std::vector<std::uint64_t> fingerprints;
  for (auto& bit : selected) {
    bit = random() % 3 == 0;
    if (bit != 0) fingerprints.push_back(random());
  }
  const Bytes bytes = encodeQuestions({{}, selected}, fingerprints, 30, fingerprinter);
  const Questions questions(bytes, fingerprinter, {kAnyPlace.pages, 500});
  CHECK(questions.selected() == selected);
  CHECK(questions.count() == fingerprints.size());
}

TEST_CASE("a small message cannot say that it selects from billions of questions") {
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, kKey);
  Bytes subject;
  putVarint(subject, std::uint64_t{4} << 30);
  subject.resize(subject.size() + 131072);
  Bytes bytes{2, 1, 30, 1};
  putLittleEndian(bytes, static_cast<std::uint32_t>(fingerprinter.keyCheck()));
  putVarint(bytes, 0);
  putVarint(bytes, subject.size());
  bytes.insert(bytes.end(), subject.begin(), subject.end());
  CHECK(codeOf(bytes, {kAnyPlace.pages, 500}) == "QUESTIONS_MISMATCH");
}

TEST_CASE("questions are refused in the other round, and about pages that no state has") {
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, kKey);
  const std::vector<std::uint64_t> fingerprints{1, 2};
  const std::vector<std::uint64_t> places{Location::of(Space::ram, 3).packed,
                                          Location::of(Space::disk, 9).packed};
  const Bytes first = encodeQuestions({places, {}}, fingerprints, 12, fingerprinter);
  CHECK(codeOf(first, {{4, 10}, std::nullopt}).empty());
  CHECK(codeOf(first, {{4, 10}, 2}) == "QUESTIONS_MISMATCH");
  CHECK(codeOf(first, {{4, 9}, std::nullopt}) == "QUESTIONS_CORRUPT");
  CHECK(codeOf(first, {{3, 10}, std::nullopt}) == "QUESTIONS_CORRUPT");
  const std::vector<std::uint8_t> selected{1, 0, 1};
  const Bytes second = encodeQuestions({{}, selected}, fingerprints, 30, fingerprinter);
  CHECK(codeOf(second, {{4, 10}, 3}).empty());
  CHECK(codeOf(second, {{4, 10}, std::nullopt}) == "QUESTIONS_MISMATCH");
  CHECK(codeOf(second, {{4, 10}, 4}) == "QUESTIONS_MISMATCH");
}

TEST_CASE("an answer that matched by chance makes its group doubtful, no other") {
  test::Random random(9);
  std::vector<std::uint64_t> asked(100), held;
  for (auto& fingerprint : asked) fingerprint = random();
  held = asked;
  held[20] ^= std::uint64_t{1} << 40;  // the group of 16 to 31
  const Bytes bytes = encodeAnswers(std::vector<std::uint8_t>(100, 1), held, {});
  const DecodedAnswers answers = decodeAnswers(bytes, asked);
  for (std::size_t i = 0; i < 100; ++i) {
    CHECK(answers.known[i] == (i / kAnswersPerCheck == 1 ? kDoubtful : 1));
  }
}

TEST_CASE("damaged questions and answers are refused with a code, or are other questions") {
  test::Random random(10);
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, kKey);
  const auto places = randomPlaces(random);
  const std::vector<std::uint64_t> fingerprints(places.size(), 5);
  const Bytes good = encodeQuestions({places, {}}, fingerprints, 12, fingerprinter);
  for (int round = 0; round < 2000; ++round) {
    Bytes bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(random() % good.size()));
    for (int flips = 0; flips < 3 && !bytes.empty(); ++flips) {
      bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(random());
    }
    try {
      const Questions questions(bytes, fingerprinter, kAnyPlace);
      CHECK(questions.count() <= bytes.size() * 8);
    } catch (const Fault& fault) {
      CHECK(fault.code().starts_with("QUESTIONS_"));
    }
    try {
      decodeAnswers(bytes, fingerprints);
    } catch (const Fault& fault) {
      CHECK(fault.code().starts_with("ANSWERS_"));
    }
  }
}
