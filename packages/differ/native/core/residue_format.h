// The residue's instructions, coded by one class for both directions: whoever changes it changes
// the encoder and the decoder at once. Byte tables in docs/formats/residue.md.
#pragma once

#include <array>
#include <cstdint>

#include "page.h"
#include "range_coder.h"

namespace reprise::differ {

inline constexpr std::uint8_t kFrameVersion = 2;
inline constexpr std::uint8_t kFlagStart = 1;  // forget the stream before: sequence 0, fresh models
inline constexpr std::uint8_t kFlagDisk = 2;   // the frame's targets are disk pages, else RAM
inline constexpr std::uint8_t kFlagMixed = 4;  // carried pages are coded by PageModel, else by zstd
inline constexpr std::uint8_t kKnownFlags = kFlagStart | kFlagDisk | kFlagMixed;

// Bounds of one frame; the decoder refuses what passes them.
inline constexpr std::size_t kMaxCarriedPages = 64;  // 256 KiB of page content
inline constexpr std::size_t kMaxFramePages = 65536;
inline constexpr std::size_t kMaxFrameOps = 4096;
inline constexpr std::size_t kMaxFrameBytes = 1 << 20;

enum class OpKind : std::uint8_t {
  end = 0,
  zero = 1,    // pages of zeros
  base = 2,    // equal to pages of the base at `source`
  twin = 3,    // equal to pages that this residue already brought, at `source`
  answer = 4,  // known to the destination: answers number `source` and on
  delta = 5,   // carried, against the base's pages at the same position
  hint = 6,    // no target: the next carried page resembles the base's pages at `source`
};
inline constexpr unsigned kOpKinds = 7;
inline constexpr std::size_t kMaxFrameHints = 256;
// After so many pages carried or learned a frame ends: the time to decode one stays bounded.
inline constexpr std::size_t kMaxFrameSteps = 512;

// `count` consecutive pages from `target` on. `source` is Location::packed, except for answers.
struct Op {
  OpKind kind = OpKind::end;
  std::uint64_t target = 0;
  std::uint64_t count = 0;
  std::uint64_t source = 0;
};

// Codes ops against where the last ones ended: what goes on in step costs nearly nothing.
class OpModel {
 public:
  // Returns the op as the decoder will see it. With a RangeDecoder the argument is ignored.
  template <typename Coder>
  Op code(Coder& coder, Space space, const Op& op) {
    Op out;
    out.kind = static_cast<OpKind>(
        kind_[static_cast<unsigned>(last_)].code(coder, static_cast<unsigned>(op.kind)));
    if (out.kind == OpKind::end || static_cast<unsigned>(out.kind) >= kOpKinds) return out;
    const auto kind = static_cast<unsigned>(out.kind);
    const std::uint64_t expected = nextTarget_[static_cast<unsigned>(space)];
    out.target = expected;
    if (out.kind != OpKind::hint) {
      out.target += static_cast<std::uint64_t>(
          gap_[kind].code(coder, static_cast<std::int64_t>(op.target - expected)));
    }
    out.count = 1 + count_[kind].code(coder, op.count - 1);
    switch (out.kind) {
      case OpKind::base:
      case OpKind::twin:
      case OpKind::hint:
        out.source = codeSource(coder, kind, space, out.target, op.source);
        break;
      case OpKind::answer:
        out.source = nextAnswer_ + static_cast<std::uint64_t>(answer_.code(
                                       coder, static_cast<std::int64_t>(op.source - nextAnswer_)));
        break;
      default:
        break;
    }
    return out;
  }

  // To be called for every op once it is known to be in bounds.
  void commit(Space space, const Op& op) {
    last_ = op.kind;
    if (op.kind == OpKind::end) return;
    if (op.kind != OpKind::hint) nextTarget_[static_cast<unsigned>(space)] = op.target + op.count;
    if (op.kind == OpKind::answer) nextAnswer_ = op.source + op.count;
    if (hasSource(op.kind)) {
      const Location source{op.source};
      Follow& follow = follow_[static_cast<unsigned>(op.kind)];
      follow.space = source.space();
      follow.displacement[static_cast<unsigned>(source.space())] = source.page() - op.target;
    }
  }

  static bool hasSource(OpKind kind) {
    return kind == OpKind::base || kind == OpKind::twin || kind == OpKind::hint;
  }

 private:
  struct Follow {
    Space space = Space::ram;
    std::array<std::uint64_t, 2> displacement{};  // source minus target, per source space
  };

  template <typename Coder>
  std::uint64_t codeSource(Coder& coder, unsigned kind, Space, std::uint64_t target,
                           std::uint64_t packed) {
    const Follow& follow = follow_[kind];
    BitModel& model = sourceSpace_[kind][static_cast<unsigned>(follow.space)];
    const auto space = static_cast<Space>(codeBit(coder, model, packed & 1));
    const std::uint64_t expected = target + follow.displacement[static_cast<unsigned>(space)];
    const std::int64_t off = source_[kind][static_cast<unsigned>(space)].code(
        coder, static_cast<std::int64_t>((packed >> 1) - expected));
    return Location::of(space, expected + static_cast<std::uint64_t>(off)).packed;
  }

  OpKind last_ = OpKind::end;
  std::array<std::uint64_t, 2> nextTarget_{};
  std::uint64_t nextAnswer_ = 0;
  std::array<Follow, kOpKinds> follow_;
  std::array<SymbolModel<3>, 8> kind_;
  std::array<SignedModel, kOpKinds> gap_;
  std::array<NumberModel, kOpKinds> count_;
  std::array<std::array<BitModel, 2>, kOpKinds> sourceSpace_;
  std::array<std::array<SignedModel, 2>, kOpKinds> source_;
  SignedModel answer_;
};

}  // namespace reprise::differ
