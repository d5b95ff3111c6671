#include "xen/blkif_request.h"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

#include "blkif_slot.h"

using namespace reprise::blk::xen;
using namespace reprise::blk::testing;

namespace {

constexpr Terms kTerms{.sectors = 2048, .read_only = false, .max_indirect_segments = 64};

Refusal check(const BlkifRequest& request, const Terms& terms = kTerms) {
  return check_request(request, terms);
}

BlkifRequest direct(Op op, std::uint64_t sector, std::vector<Segment> segments) {
  BlkifRequest request;
  request.op = static_cast<std::uint8_t>(op);
  request.sector = sector;
  request.segment_count = static_cast<std::uint16_t>(segments.size());
  std::copy(segments.begin(), segments.end(), request.segments.begin());
  return request;
}

BlkifRequest indirect(Op inner, std::uint64_t sector, std::uint16_t count) {
  BlkifRequest request;
  request.op = static_cast<std::uint8_t>(Op::kIndirect);
  request.inner_op = static_cast<std::uint8_t>(inner);
  request.sector = sector;
  request.segment_count = count;
  return request;
}

BlkifRequest discard(std::uint64_t sector, std::uint64_t sectors, std::uint8_t flags = 0) {
  BlkifRequest request;
  request.op = static_cast<std::uint8_t>(Op::kDiscard);
  request.sector = sector;
  request.discard_sectors = sectors;
  request.discard_flags = flags;
  return request;
}

}  // namespace

TEST_CASE("requests inside the disk pass, those that leave it do not, however large the numbers") {
  CHECK(check(direct(Op::kRead, 0, {{1, 0, 7}})) == Refusal::kNone);
  CHECK(check(direct(Op::kWrite, 2040, {{1, 0, 7}})) == Refusal::kNone);
  CHECK(check(direct(Op::kWrite, 2041, {{1, 0, 7}})) == Refusal::kOutsideDisk);
  CHECK(check(direct(Op::kRead, 2047, {{1, 3, 3}})) == Refusal::kNone);
  CHECK(check(direct(Op::kRead, ~0ull, {{1, 0, 0}})) == Refusal::kOutsideDisk);
  CHECK(check(discard(0, 2048)) == Refusal::kNone);
  CHECK(check(discard(1, ~0ull)) == Refusal::kOutsideDisk);
  CHECK(check(discard(2048, 1)) == Refusal::kOutsideDisk);
  CHECK(check(indirect(Op::kRead, 2048, 1)) == Refusal::kOutsideDisk);
}

TEST_CASE("segments stay inside their frame and end after they begin") {
  CHECK(check(direct(Op::kRead, 0, {{1, 7, 7}})) == Refusal::kNone);
  CHECK(check(direct(Op::kRead, 0, {{1, 0, 7}, {2, 4, 3}})) == Refusal::kBadSegment);
  CHECK(check(direct(Op::kRead, 0, {{1, 0, 8}})) == Refusal::kBadSegment);
  CHECK(check(direct(Op::kRead, 0, {{1, 255, 255}})) == Refusal::kBadSegment);
}

TEST_CASE("counts of segments are bounded by the ring and by what was offered") {
  CHECK(check(direct(Op::kRead, 0, {})) == Refusal::kNoSegments);
  CHECK(check(direct(Op::kFlush, ~0ull, {})) == Refusal::kNone);
  CHECK(check(direct(Op::kWriteBarrier, 0, {})) == Refusal::kNone);
  BlkifRequest many = direct(Op::kRead, 0, {{1, 0, 0}});
  many.segment_count = 12;
  CHECK(check(many) == Refusal::kTooManySegments);
  CHECK(check(indirect(Op::kWrite, 0, 64)) == Refusal::kNone);
  CHECK(check(indirect(Op::kWrite, 0, 65)) == Refusal::kTooManySegments);
  CHECK(check(indirect(Op::kWrite, 0, 0)) == Refusal::kNoSegments);
  CHECK(check(indirect(Op::kWrite, 0, 1), {.sectors = 2048, .max_indirect_segments = 0}) ==
        Refusal::kNotOffered);
}

TEST_CASE("operations that do not exist or cannot be nested are refused as unsupported") {
  for (const int op : {4, 7, 255}) {
    BlkifRequest request;
    request.op = static_cast<std::uint8_t>(op);
    request.segment_count = 1;
    CHECK(check(request) == Refusal::kUnknownOperation);
  }
  for (const Op op : {Op::kFlush, Op::kDiscard, Op::kIndirect, Op::kWriteBarrier}) {
    CHECK(check(indirect(op, 0, 1)) == Refusal::kUnknownOperation);
  }
  CHECK(check(discard(0, 8, kDiscardSecure)) == Refusal::kNotOffered);
  CHECK(check(discard(0, 8), {.sectors = 2048, .discard = false}) == Refusal::kNotOffered);
  CHECK(status_of(Refusal::kNotOffered) == Status::kUnsupported);
  CHECK(status_of(Refusal::kOutsideDisk) == Status::kError);
}

TEST_CASE("a disk that is read-only takes reads and flushes only") {
  const Terms terms{.sectors = 2048, .read_only = true, .max_indirect_segments = 64};
  CHECK(check(direct(Op::kRead, 0, {{1, 0, 7}}), terms) == Refusal::kNone);
  CHECK(check(direct(Op::kFlush, 0, {}), terms) == Refusal::kNone);
  CHECK(check(indirect(Op::kRead, 0, 12), terms) == Refusal::kNone);
  CHECK(check(direct(Op::kWrite, 0, {{1, 0, 7}}), terms) == Refusal::kReadOnly);
  CHECK(check(direct(Op::kFlush, 0, {{1, 0, 7}}), terms) == Refusal::kReadOnly);
  CHECK(check(direct(Op::kWriteBarrier, 0, {}), terms) == Refusal::kReadOnly);
  CHECK(check(indirect(Op::kWrite, 0, 12), terms) == Refusal::kReadOnly);
  CHECK(check(discard(0, 8), terms) == Refusal::kReadOnly);
}

TEST_CASE("a slot decodes to what the guest meant, with 64-bit and with 32-bit layout") {
  for (const Abi& abi : {kAbi64, kAbi32}) {
    BlkifRequest request = direct(Op::kWrite, 0x123456789a, {{77, 1, 6}, {78, 0, 7}});
    request.id = 0xfedcba9876543210;
    const BlkifRequest decoded = decode_request(encode_slot(request, abi), abi);
    CHECK(decoded.is(Op::kWrite));
    CHECK(decoded.id == request.id);
    CHECK(decoded.sector == request.sector);
    REQUIRE(decoded.direct_segments().size() == 2);
    CHECK(decoded.segments[1].gref == 78);
    CHECK(decoded.segments[0].first_sector == 1);
    CHECK(decoded.segments[0].length_bytes() == 6 * 512);

    BlkifRequest large = indirect(Op::kRead, 9, 300);
    large.id = 5;
    large.indirect_grefs = {1, 2, 3, 4, 5, 6, 7, 8};
    const BlkifRequest decoded_large = decode_request(encode_slot(large, abi), abi);
    CHECK(decoded_large.segment_count == 300);
    CHECK(decoded_large.effective_op() == Op::kRead);
    CHECK(decoded_large.answered_op() == static_cast<std::uint8_t>(Op::kRead));
    CHECK(decoded_large.indirect_grefs == large.indirect_grefs);

    const BlkifRequest erased = decode_request(encode_slot(discard(8, 16, 1), abi), abi);
    CHECK(erased.discard_sectors == 16);
    CHECK(erased.discard_flags == 1);
  }
}
