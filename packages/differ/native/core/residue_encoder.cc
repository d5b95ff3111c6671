#include "residue_encoder.h"

#include <xxhash.h>

#include "fault.h"

namespace reprise::differ {
namespace {

constexpr std::uint32_t kNoQuestion = UINT32_MAX;

bool goesOn(const Op& run, const Op& next) {
  if (run.kind != next.kind || run.target + run.count != next.target) return false;
  if (OpModel::hasSource(run.kind)) return run.source + 2 * run.count == next.source;
  if (run.kind == OpKind::answer) return run.source + run.count == next.source;
  return true;
}

[[noreturn]] void invalidPlan() {
  throw Fault("PLAN_INVALID",
              "The residue's plan does not fit its arrays. Plan the residue again.");
}

}  // namespace

ResidueEncoder::ResidueEncoder(const StateImages& base, const StateImages& target,
                               const PlanEntries& plan, EncoderOptions options)
    : base_(base),
      target_(target),
      plan_(plan),
      options_(std::move(options)),
      question_(plan.pages.size(), kNoQuestion),
      brought_(plan.pages.size(), kNowhere),
      delta_(options_.level) {
  const std::size_t n = plan.pages.size();
  if (plan.classes.size() != n || plan.sources.size() != n) invalidPlan();
  if (!plan.hints.empty() && plan.hints.size() != n * kHintsPerEntry) invalidPlan();
  if (!options_.applied.empty() && options_.applied.size() != n) invalidPlan();
  std::uint32_t questions = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const auto kind = static_cast<PageClass>(plan.classes[i]);
    if (kind == PageClass::unknown) question_[i] = questions++;
    if (kind == PageClass::twin) {
      if (plan.sources[i] >= i) invalidPlan();
      question_[i] = question_[plan.sources[i]];
    }
  }
  if (!options_.known.empty() && options_.known.size() != questions) {
    throw Fault("ANSWERS_MISMATCH",
                "The answers do not fit the questions of this residue. Ask the destination again.");
  }
  std::vector<bool> ordered(n);
  for (const std::uint32_t entry : options_.order) {
    if (entry >= n || ordered[entry]) invalidPlan();
    ordered[entry] = true;
  }
  for (std::size_t i = 0; i < options_.applied.size(); ++i) {
    if (options_.applied[i] == 0) continue;
    const bool twin = static_cast<PageClass>(plan.classes[i]) == PageClass::twin;
    brought_[twin ? plan.sources[i] : i] = plan.pages[i];
  }
}

Op ResidueEncoder::describe(std::uint32_t entry) {
  const Location at{plan_.pages[entry]};
  Op op{OpKind::zero, at.page(), 1, 0};
  const auto kind = static_cast<PageClass>(plan_.classes[entry]);
  if (kind == PageClass::zero) return op;
  if (kind == PageClass::base) {
    op.kind = OpKind::base;
    op.source = plan_.sources[entry];
    return op;
  }
  if (kind == PageClass::same) invalidPlan();
  const std::size_t primary = kind == PageClass::twin ? plan_.sources[entry] : entry;
  if (brought_[primary] != kNowhere) {
    op.kind = OpKind::twin;
    op.source = brought_[primary];
    return op;
  }
  brought_[primary] = at.packed;
  const std::uint32_t question = question_[entry];
  if (!options_.known.empty() && options_.known[question] != 0) {
    op.kind = OpKind::answer;
    op.source = question;
  } else {
    op.kind = OpKind::delta;
  }
  return op;
}

void ResidueEncoder::addReference(CarryStep step, const StateImages& state, Location at) {
  alignas(64) std::uint8_t scratch[kPageSize];
  const std::uint8_t* page = state.of(at.space()).page(at.page(), MutablePage(scratch));
  steps_.push_back(step);
  references_.insert(references_.end(), page, page + kPageSize);
}

void ResidueEncoder::carry(const Op& op) {
  alignas(64) std::uint8_t scratch[kPageSize];
  const Location at{plan_.pages[options_.order[at_]]};
  addReference(CarryStep::page, base_, at);
  const std::uint8_t* page = target_.of(at.space()).page(op.target, MutablePage(scratch));
  carried_.insert(carried_.end(), page, page + kPageSize);
}

std::optional<EncodedFrame> ResidueEncoder::next() {
  const auto isApplied = [&] {
    return !options_.applied.empty() && options_.applied[options_.order[at_]] != 0;
  };
  while (at_ < options_.order.size() && isApplied()) ++at_;
  if (at_ == options_.order.size()) return std::nullopt;

  EncodedFrame frame;
  frame.space = Location{plan_.pages[options_.order[at_]]}.space();
  RangeEncoder coder;
  steps_.clear();
  references_.clear();
  carried_.clear();
  Op run;
  std::size_t ops = 0;
  const auto put = [&](const Op& op) {
    model_.commit(frame.space, model_.code(coder, frame.space, op));
    ++ops;
  };
  for (; at_ < options_.order.size(); ++at_) {
    if (isApplied()) continue;
    const std::uint32_t entry = options_.order[at_];
    const bool full = ops + 2 + kHintsPerEntry >= kMaxFrameOps || frame.pages == kMaxFramePages ||
                      carried_.size() == kMaxCarriedPages * kPageSize ||
                      steps_.size() >= kMaxFrameSteps;
    if (full || Location{plan_.pages[entry]}.space() != frame.space) break;
    const Op op = describe(entry);
    if (op.kind == OpKind::delta && delta_.isMixed() && !plan_.hints.empty()) {
      for (std::size_t i = 0; i < kHintsPerEntry; ++i) {
        const std::uint64_t hint = plan_.hints[entry * kHintsPerEntry + i];
        if (hint == kNowhere) break;
        if (run.count > 0) put(run);
        run = Op{};
        put({OpKind::hint, 0, 1, hint});
        addReference(CarryStep::learn, base_, Location{hint});
      }
    }
    if (op.kind == OpKind::delta) carry(op);
    if (op.kind == OpKind::answer && delta_.isMixed()) {
      addReference(CarryStep::learn, target_, Location{plan_.pages[entry]});
    }
    if (run.count > 0 && goesOn(run, op)) {
      ++run.count;
    } else {
      if (run.count > 0) put(run);
      run = op;
    }
    ++frame.pages;
    ++frame.pagesByKind[static_cast<unsigned>(op.kind)];
  }
  if (run.count > 0) put(run);
  put(Op{});
  const Bytes instructions = coder.finish();
  const Bytes payload = steps_.empty() ? Bytes{} : delta_.encode(steps_, references_, carried_);

  Bytes& out = frame.bytes;
  out.push_back(kFrameVersion);
  out.push_back(static_cast<std::uint8_t>((sequence_ == 0 ? kFlagStart : 0) |
                                          (frame.space == Space::disk ? kFlagDisk : 0) |
                                          (delta_.isMixed() ? kFlagMixed : 0)));
  putVarint(out, sequence_++);
  putVarint(out, instructions.size());
  putVarint(out, payload.size());
  out.insert(out.end(), instructions.begin(), instructions.end());
  out.insert(out.end(), payload.begin(), payload.end());
  putLittleEndian(out, static_cast<std::uint32_t>(XXH3_64bits(out.data(), out.size())));
  return frame;
}

}  // namespace reprise::differ
