#include <doctest/doctest.h>

#include "core/fault.h"
#include "core/residue_decoder.h"
#include "core/residue_encoder.h"
#include "scratch_state.h"

using namespace reprise::differ;

namespace {

constexpr std::uint64_t kPages = 48;

struct Pair {
  test::ScratchDirectory scratch;
  Bytes before = Bytes(kPages * kPageSize), after;
  explicit Pair(test::Random& random) {
    for (std::uint64_t i = 0; i < kPages; ++i)
      test::fillPage(&before[i * kPageSize], random() % 20);
    after = before;
    scratch.file("ram", before);
    scratch.file("out", before);
    scratch.file("disk", before);
  }
};

}  // namespace

TEST_CASE("a random plan, encoded and applied, makes the target, at every level and in any order") {
  test::Random random(11);
  for (int round = 0; round < 30; ++round) {
    Pair pair(random);
    PlanEntries plan;
    for (std::uint64_t page = 0; page < kPages; ++page) {
      if (random() % 3 == 0) continue;
      std::uint8_t* to = &pair.after[page * kPageSize];
      const std::uint64_t from = random() % kPages;
      auto kind = static_cast<PageClass>(1 + random() % 4);
      if (kind == PageClass::twin && plan.pages.empty()) kind = PageClass::unknown;
      std::uint64_t source = kNowhere;
      if (kind == PageClass::zero) std::fill_n(to, kPageSize, std::uint8_t{0});
      if (kind == PageClass::base) {
        std::copy_n(&pair.before[from * kPageSize], kPageSize, to);
        source = Location::of(Space::ram, from).packed;
      }
      if (kind == PageClass::twin) {
        source = random() % plan.pages.size();
        const auto first = static_cast<PageClass>(plan.classes[source]);
        if (first != PageClass::unknown)
          kind = PageClass::unknown;
        else
          std::copy_n(&pair.after[Location{plan.pages[source]}.page() * kPageSize], kPageSize, to);
      }
      if (kind == PageClass::unknown) {
        source = kNowhere;
        test::fillPage(to, 1000 + random());
        if (random() % 2 == 0) std::copy_n(&pair.before[page * kPageSize], kPageSize / 2, to);
      }
      plan.pages.push_back(Location::of(Space::ram, page).packed);
      plan.classes.push_back(static_cast<std::uint8_t>(kind));
      plan.sources.push_back(source);
    }
    pair.scratch.file("target", pair.after);
    const Image ram(describeFile(pair.scratch.file("ram")));
    const Image disk(describeFile(pair.scratch.file("disk")));
    const Image target(describeFile(pair.scratch.file("target")));
    EncoderOptions options;
    const int level = round % 3 == 0 ? kMixedLevel : 1 + round % 18;
    options.level = level;
    for (std::uint32_t i = 0; i < plan.pages.size(); ++i) options.order.push_back(i);
    std::shuffle(options.order.begin(), options.order.end(), random);
    ResidueEncoder encoder({ram, disk}, {target, disk}, plan, options);
    ResidueOutput outRam(pair.scratch.file("out"), ram.sizeBytes(), false);
    ResidueOutput outDisk(pair.scratch.file("out-disk"), disk.sizeBytes(), true);
    ResidueDecoder decoder({ram, disk}, nullptr, {}, outRam, outDisk);
    while (const auto frame = encoder.next()) decoder.apply(frame->bytes);
    Bytes brought(pair.after.size());
    FileDescriptor(pair.scratch.file("out"), O_RDONLY).readAt(brought, 0);
    REQUIRE(brought == pair.after);
  }
}

TEST_CASE("a stream may go from zstd to context mixing and back between two frames") {
  constexpr std::uint64_t kMany = 5 * kMaxCarriedPages;
  test::Random random(13);
  test::ScratchDirectory scratch;
  Bytes before(kMany * kPageSize), after;
  for (std::uint64_t i = 0; i < kMany; ++i) test::fillPage(&before[i * kPageSize], i);
  after = before;
  PlanEntries plan;
  EncoderOptions options;
  for (std::uint32_t page = 0; page < kMany; ++page) {
    for (int word = 0; word < 8; ++word) after[page * kPageSize + random() % kPageSize] ^= 1;
    plan.pages.push_back(Location::of(Space::ram, page).packed);
    plan.classes.push_back(static_cast<std::uint8_t>(PageClass::unknown));
    plan.sources.push_back(kNowhere);
    options.order.push_back(page);
  }
  const Image ram(describeFile(scratch.file("ram", before)));
  const Image disk(describeFile(scratch.file("disk", before)));
  const Image target(describeFile(scratch.file("target", after)));
  options.level = 3;
  ResidueEncoder encoder({ram, disk}, {target, disk}, plan, options);
  ResidueOutput outRam(scratch.file("out", before), ram.sizeBytes(), false);
  ResidueOutput outDisk(scratch.file("out-disk"), disk.sizeBytes(), true);
  ResidueDecoder decoder({ram, disk}, nullptr, {}, outRam, outDisk);
  unsigned mixed = 0, frames = 0;
  while (const auto frame = encoder.next()) {
    mixed += (frame->bytes[1] & kFlagMixed) != 0 ? 1 : 0;
    decoder.apply(frame->bytes);
    encoder.setLevel(++frames % 2 == 0 ? 3 : kMixedLevel);
  }
  CHECK(mixed >= 2);
  CHECK(frames - mixed >= 2);
  Bytes brought(after.size());
  FileDescriptor(scratch.file("out"), O_RDONLY).readAt(brought, 0);
  CHECK(brought == after);
}

TEST_CASE("a frame with any bit flipped is refused and writes nothing") {
  test::Random random(12);
  Pair pair(random);
  PlanEntries plan;
  for (std::uint64_t page = 3; page < 9; ++page) {
    test::fillPage(&pair.after[page * kPageSize], 5000 + page);
    plan.pages.push_back(Location::of(Space::ram, page).packed);
    plan.classes.push_back(static_cast<std::uint8_t>(PageClass::unknown));
    plan.sources.push_back(kNowhere);
  }
  pair.scratch.file("target", pair.after);
  const Image ram(describeFile(pair.scratch.file("ram")));
  const Image disk(describeFile(pair.scratch.file("disk")));
  const Image target(describeFile(pair.scratch.file("target")));
  EncoderOptions options;
  options.level = 3;
  for (std::uint32_t i = 0; i < plan.pages.size(); ++i) options.order.push_back(i);
  ResidueEncoder encoder({ram, disk}, {target, disk}, plan, options);
  const auto frame = encoder.next();
  REQUIRE(frame.has_value());
  ResidueOutput outRam(pair.scratch.file("out"), ram.sizeBytes(), false);
  ResidueOutput outDisk(pair.scratch.file("out-disk"), disk.sizeBytes(), true);
  ResidueDecoder decoder({ram, disk}, nullptr, {}, outRam, outDisk);
  for (int round = 0; round < 400; ++round) {
    Bytes bytes = frame->bytes;
    bytes[random() % bytes.size()] ^= static_cast<std::uint8_t>(1u << random() % 8);
    CHECK_THROWS_AS(decoder.apply(bytes), Fault);
  }
  CHECK(outRam.appliedRuns().empty());
  decoder.apply(frame->bytes);
  CHECK(outRam.appliedRuns() == PageRuns{3, 6});
}
