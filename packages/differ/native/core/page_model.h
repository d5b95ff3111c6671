// Codes pages against reference pages by context mixing: words equal to the reference cost a
// fraction of a bit, the rest is predicted from the reference, from what stands around it and from
// everything coded before. The same code runs in both directions.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "bit_predictor.h"
#include "page.h"
#include "range_coder.h"

namespace reprise::differ {

class PageModel {
 public:
  PageModel();
  ~PageModel();
  PageModel(PageModel&&) noexcept;

  void encode(RangeEncoder& coder, Page reference, Page page);
  void decode(RangeDecoder& coder, Page reference, MutablePage page);
  // Content that both sides know and that later pages may resemble.
  void learn(Page page);

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace reprise::differ
