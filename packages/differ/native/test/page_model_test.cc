#include "core/page_model.h"

#include <doctest/doctest.h>

#include "scratch_state.h"

using namespace reprise::differ;

namespace {

std::vector<std::uint8_t> edited(std::span<const std::uint8_t> page, test::Random& random) {
  std::vector<std::uint8_t> out(page.begin(), page.end());
  for (std::uint64_t edits = random() % 30; edits > 0; --edits) {
    out[random() % out.size()] = static_cast<std::uint8_t>(random());
  }
  return out;
}

}  // namespace

TEST_CASE("pages coded against references come back, learned pages in between or not") {
  test::Random random(3);
  std::vector<std::vector<std::uint8_t>> references, pages;
  for (std::uint64_t i = 0; i < 40; ++i) {
    references.emplace_back(kPageSize);
    if (i % 5 != 0) test::fillPage(references.back().data(), i % 7);
    pages.push_back(edited(references.back(), random));
  }
  PageModel writer, reader;
  RangeEncoder encoder;
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (i % 3 == 0) writer.learn(Page(references[(i + 1) % 40].data(), kPageSize));
    writer.encode(encoder, Page(references[i].data(), kPageSize), Page(pages[i].data(), kPageSize));
  }
  const Bytes bytes = encoder.finish();
  RangeDecoder decoder(bytes);
  std::vector<std::uint8_t> page(kPageSize);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    if (i % 3 == 0) reader.learn(Page(references[(i + 1) % 40].data(), kPageSize));
    reader.decode(decoder, Page(references[i].data(), kPageSize),
                  MutablePage(page.data(), kPageSize));
    REQUIRE(page == pages[i]);
  }
  CHECK(bytes.size() < 40 * 30 * 6);
}

TEST_CASE("any bytes decode to some page") {
  test::Random random(4);
  PageModel model;
  Bytes noise(500);
  for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
  RangeDecoder decoder(noise);
  std::vector<std::uint8_t> page(kPageSize);
  for (int i = 0; i < 20; ++i) {
    model.decode(decoder, Page(kZeroPage), MutablePage(page.data(), kPageSize));
  }
}
