// Source side: turns a classified plan into frames.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bytes.h"
#include "classify.h"
#include "delta_codec.h"
#include "residue_format.h"

namespace reprise::differ {

// The plan: one entry a changed page that has anything to say (PageClass::same is left out).
struct PlanEntries {
  std::vector<std::uint64_t> pages;    // Location::packed, in plan order
  std::vector<std::uint8_t> classes;   // PageClass
  std::vector<std::uint64_t> sources;  // as in Classified
  // Base pages (Location::packed) that an entry resembles, kHintsPerEntry an entry, kNowhere where
  // there are fewer; may be empty.
  std::vector<std::uint64_t> hints;
};

inline constexpr std::size_t kHintsPerEntry = 2;

struct EncoderOptions {
  int level = 19;
  std::vector<std::uint8_t> known;    // one byte a question, in plan order; empty: nothing is known
  std::vector<std::uint32_t> order;   // entry numbers in the order to send; each at most once
  std::vector<std::uint8_t> applied;  // one byte an entry: the destination has it; may be empty
};

struct EncodedFrame {
  Bytes bytes;
  Space space = Space::ram;
  std::uint64_t pages = 0;
  std::array<std::uint64_t, kOpKinds> pagesByKind{};
};

class ResidueEncoder {
 public:
  ResidueEncoder(const StateImages& base, const StateImages& target, const PlanEntries& plan,
                 EncoderOptions options);

  // The next frame; nothing when all is said.
  std::optional<EncodedFrame> next();
  // As DeltaEncoder::setLevel.
  void setLevel(int level) { delta_.setLevel(level); }

 private:
  Op describe(std::uint32_t entry);
  void carry(const Op& op);
  void addReference(CarryStep step, const StateImages& state, Location at);

  const StateImages base_;
  const StateImages target_;
  const PlanEntries& plan_;
  EncoderOptions options_;
  std::vector<std::uint32_t> question_;  // by entry; of the primary, for twins
  std::vector<std::uint64_t> brought_;   // by primary entry: where its content already stands
  OpModel model_;
  DeltaEncoder delta_;
  std::size_t at_ = 0;
  std::uint64_t sequence_ = 0;
  std::vector<CarryStep> steps_;
  Bytes references_;
  Bytes carried_;
};

}  // namespace reprise::differ
