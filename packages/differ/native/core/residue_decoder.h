// Destination side: applies frames to the outputs. Frames come from the peer and are hostile until
// shown otherwise: everything is checked before anything is written.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bytes.h"
#include "classify.h"
#include "compare.h"
#include "delta_codec.h"
#include "mapped_file.h"
#include "residue_format.h"

namespace reprise::differ {

// Where the residue goes: `ram` holds a copy of the base RAM and is patched, `disk` is a sparse
// file into which changed blocks are written at their offsets.
class ResidueOutput {
 public:
  ResidueOutput(const std::string& path, std::uint64_t sizeBytes, bool mayGrow);

  std::uint64_t pageCount() const { return pagesOf(sizeBytes_); }
  bool isApplied(std::uint64_t page) const { return (applied_[page / 64] >> (page % 64) & 1) != 0; }
  void markApplied(std::uint64_t page) { applied_[page / 64] |= std::uint64_t{1} << (page % 64); }
  void read(std::uint64_t page, MutablePage out) const;
  void write(std::uint64_t page, Page content);
  void zero(std::uint64_t first, std::uint64_t count);
  PageRuns appliedRuns() const;
  void sync() const { file_.sync(); }

 private:
  FileDescriptor file_;
  std::uint64_t sizeBytes_;
  std::vector<std::uint64_t> applied_;
};

class ResidueDecoder {
 public:
  // `answers` holds Location::packed in the replayed state by question, kNowhere where it has none;
  // `replay` may be null when there are none.
  ResidueDecoder(const StateImages& base, const StateImages* replay,
                 std::vector<std::uint64_t> answers, ResidueOutput& ram, ResidueOutput& disk);

  // Applies one whole frame. Throws FRAME_CORRUPT, FRAME_OUT_OF_ORDER, FRAME_UNSUPPORTED: nothing
  // of the frame was written then. After a fault only a frame that starts a stream is taken.
  void apply(std::span<const std::uint8_t> frame);

  const std::array<std::uint64_t, kOpKinds>& pagesByKind(Space space) const {
    return pagesByKind_[static_cast<unsigned>(space)];
  }

 private:
  struct Parsed;
  Parsed parse(std::span<const std::uint8_t> frame);
  std::vector<Op> readOps(std::span<const std::uint8_t> instructions, Space space);
  void checkOp(const Op& op, Space space, std::vector<std::uint64_t>& claimed) const;
  // What the coder needs besides the payload: `steps`, and a reference page for each.
  Bytes gatherReferences(const std::vector<Op>& ops, Space space, bool isMixed,
                         std::vector<CarryStep>& steps) const;
  // Storage begins to read what a frame takes from the base.
  void prefetch(const std::vector<Op>& ops, Space space) const;
  void write(const std::vector<Op>& ops, Space space, std::span<const std::uint8_t> carried);

  ResidueOutput& output(Space space) const { return space == Space::ram ? ram_ : disk_; }

  const StateImages base_;
  const StateImages* replay_;
  const std::vector<std::uint64_t> answers_;
  ResidueOutput& ram_;
  ResidueOutput& disk_;
  std::optional<OpModel> model_;  // empty: a start frame must come first
  DeltaDecoder delta_;
  std::uint64_t sequence_ = 0;
  std::array<std::array<std::uint64_t, kOpKinds>, 2> pagesByKind_{};
};

}  // namespace reprise::differ
