// One bit's prediction out of a row of contexts: tables, two mixers, a final map.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "bit_predictor.h"
#include "range_coder.h"

namespace reprise::differ {

// The caller selects the contexts once a nibble, then codes up to four bits.
class BitMixer {
 public:
  BitMixer(unsigned contexts, unsigned extraInputs, unsigned tableBits, unsigned selectorsA,
           unsigned selectorsB, unsigned mapContexts)
      : inputs_(contexts * ContextTable::kInputs + extraInputs + 1),
        first_(static_cast<unsigned>(inputs_.size()), selectorsA, 65536 / 5),
        second_(static_cast<unsigned>(inputs_.size()), selectorsB, 65536 / 5),
        map_(mapContexts) {
    for (unsigned i = 0; i < contexts; ++i) tables_.emplace_back(tableBits);
  }

  // Contexts for the next up to four bits.
  void select(const std::uint32_t* hashes) {
    for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i].prefetch(hashes[i]);
    for (std::size_t i = 0; i < tables_.size(); ++i) tables_[i].select(hashes[i]);
  }

  template <typename Coder>
  unsigned code(Coder& coder, unsigned node, const int* extra, unsigned extraCount,
                unsigned selectorA, unsigned selectorB, unsigned mapContext, unsigned bit) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < tables_.size(); ++i, n += ContextTable::kInputs) {
      tables_[i].predict(node, &inputs_[n]);
    }
    for (unsigned i = 0; i < extraCount; ++i) inputs_[n++] = extra[i];
    inputs_[n] = 256;
    const int logit =
        (first_.mix(inputs_.data(), selectorA) + second_.mix(inputs_.data(), selectorB)) / 2;
    const int mixed = squash(logit);
    const int refined = map_.refine(logit, mapContext);
    const int probability = std::clamp((mixed + refined * 3 + 2) / 4, 1, 4094);
    if constexpr (std::is_same_v<Coder, RangeEncoder>) {
      coder.encode(bit, static_cast<Probability>(probability * 16));
    } else {
      bit = coder.decode(static_cast<Probability>(probability * 16));
    }
    for (auto& table : tables_) table.update(bit);
    first_.update(inputs_.data(), bit, kRate);
    second_.update(inputs_.data(), bit, kRate);
    map_.update(bit);
    return bit;
  }

 private:
  static constexpr int kRate = 4;
  std::vector<ContextTable> tables_;
  std::vector<int> inputs_;
  Mixer first_;
  Mixer second_;
  AdaptiveMap map_;
};

}  // namespace reprise::differ
