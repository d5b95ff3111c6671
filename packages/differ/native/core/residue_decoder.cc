#include "residue_decoder.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "fault.h"

namespace reprise::differ {
namespace {

constexpr const char* kCorrupt =
    "A residue frame is damaged or leaves its bounds; nothing of it was applied. Ask the source "
    "for "
    "the residue again.";

[[noreturn]] void corrupt() {
  throw Fault("FRAME_CORRUPT", kCorrupt);
}

}  // namespace

ResidueOutput::ResidueOutput(const std::string& path, std::uint64_t sizeBytes, bool mayGrow)
    : file_(path, O_RDWR | (mayGrow ? O_CREAT : 0)),
      sizeBytes_(sizeBytes),
      applied_(pagesOf(sizeBytes) / 64 + 1) {
  if (file_.sizeBytes() >= sizeBytes) return;
  if (!mayGrow) {
    throw Fault(
        "OUTPUT_INVALID",
        "The output " + path + " is smaller than the image. Copy the base's RAM there first.");
  }
  if (ftruncate(file_.get(), static_cast<off_t>(sizeBytes)) != 0) {
    throw systemFault("FILE_UNWRITABLE", "Cannot size " + path, errno);
  }
}

void ResidueOutput::read(std::uint64_t page, MutablePage out) const {
  const std::uint64_t offset = page * kPageSize;
  const std::uint64_t length = std::min<std::uint64_t>(kPageSize, sizeBytes_ - offset);
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  file_.readAt(out.first(length), offset);
}

void ResidueOutput::write(std::uint64_t page, Page content) {
  const std::uint64_t offset = page * kPageSize;
  file_.writeAt(content.first(std::min<std::uint64_t>(kPageSize, sizeBytes_ - offset)), offset);
}

void ResidueOutput::zero(std::uint64_t first, std::uint64_t count) {
  const std::uint64_t offset = first * kPageSize;
  const std::uint64_t length = std::min(count * kPageSize, sizeBytes_ - offset);
  if (fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(offset),
                static_cast<off_t>(length)) == 0) {
    return;
  }
  for (std::uint64_t i = 0; i < count; ++i) write(first + i, Page(kZeroPage));
}

PageRuns ResidueOutput::appliedRuns() const {
  PageRuns runs;
  for (std::size_t word = 0; word < applied_.size(); ++word) {
    for (std::uint64_t rest = applied_[word]; rest != 0; rest &= rest - 1) {
      appendToRuns(runs, word * 64 + static_cast<unsigned>(std::countr_zero(rest)));
    }
  }
  return runs;
}

struct ResidueDecoder::Parsed {
  Space space;
  bool isMixed;
  std::span<const std::uint8_t> instructions;
  std::span<const std::uint8_t> payload;
};

ResidueDecoder::ResidueDecoder(const StateImages& base, const StateImages* replay,
                               std::vector<std::uint64_t> answers, ResidueOutput& ram,
                               ResidueOutput& disk)
    : base_(base), replay_(replay), answers_(std::move(answers)), ram_(ram), disk_(disk) {
  for (const std::uint64_t packed : answers_) {
    if (packed == kNowhere) continue;
    const Location at{packed};
    if (replay_ == nullptr || at.page() >= replay_->of(at.space()).pageCount()) {
      throw Fault("ANSWERS_MISMATCH",
                  "The answers do not fit the replayed state. Answer the questions again.");
    }
  }
}

ResidueDecoder::Parsed ResidueDecoder::parse(std::span<const std::uint8_t> frame) {
  if (frame.size() > kMaxFrameBytes || frame.size() < 4) corrupt();
  const auto body = frame.first(frame.size() - 4);
  ByteReader trailer(frame.last(4), "FRAME_CORRUPT", kCorrupt);
  if (trailer.littleEndian<std::uint32_t>() !=
      static_cast<std::uint32_t>(XXH3_64bits(body.data(), body.size()))) {
    corrupt();
  }
  ByteReader reader(body, "FRAME_CORRUPT", kCorrupt);
  const std::uint8_t version = reader.byte();
  const std::uint8_t flags = reader.byte();
  if (version != kFrameVersion || (flags & ~kKnownFlags) != 0) {
    throw Fault("FRAME_UNSUPPORTED",
                "The residue's format is newer than this host's. Bring both hosts to one version.");
  }
  const std::uint64_t sequence = reader.varint();
  const bool start = (flags & kFlagStart) != 0;
  if (start) {
    model_.emplace();
    delta_.reset();
    sequence_ = 0;
  }
  if (!model_.has_value() || sequence != sequence_) {
    throw Fault("FRAME_OUT_OF_ORDER",
                "A residue frame came out of order. Ask the source to encode what is left again.");
  }
  const std::uint64_t instructionBytes = reader.varint();
  const std::uint64_t payloadBytes = reader.varint();
  Parsed parsed{(flags & kFlagDisk) != 0 ? Space::disk : Space::ram, (flags & kFlagMixed) != 0,
                reader.take(instructionBytes), reader.take(payloadBytes)};
  if (reader.remaining() != 0) corrupt();
  return parsed;
}

void ResidueDecoder::checkOp(const Op& op, Space space, std::vector<std::uint64_t>& claimed) const {
  const auto inside = [](std::uint64_t first, std::uint64_t count, std::uint64_t limit) {
    return count <= limit && first <= limit - count;
  };
  if (op.count > kMaxFramePages) corrupt();
  if (op.kind != OpKind::hint && !inside(op.target, op.count, output(space).pageCount())) corrupt();
  if (OpModel::hasSource(op.kind)) {
    const Location source{op.source};
    const std::uint64_t limit = op.kind == OpKind::twin ? output(source.space()).pageCount()
                                                        : base_.of(source.space()).pageCount();
    if (!inside(source.page(), op.count, limit)) corrupt();
  }
  if (op.kind == OpKind::answer) {
    if (!inside(op.source, op.count, answers_.size())) corrupt();
    for (std::uint64_t i = 0; i < op.count; ++i) {
      if (answers_[op.source + i] == kNowhere) corrupt();
    }
  }
  if (op.kind == OpKind::hint) return;  // it writes nothing
  for (std::uint64_t i = 0; i < op.count; ++i) {
    if (output(space).isApplied(op.target + i)) corrupt();  // every page is brought once
    claimed.push_back(op.target + i);
  }
}

std::vector<Op> ResidueDecoder::readOps(std::span<const std::uint8_t> instructions, Space space) {
  RangeDecoder coder(instructions);
  std::vector<Op> ops;
  std::vector<std::uint64_t> claimed;
  std::size_t carried = 0;
  std::size_t hints = 0;
  while (true) {
    const Op op = model_->code(coder, space, Op{});
    if (op.kind == OpKind::end) {
      model_->commit(space, op);
      break;
    }
    if (static_cast<unsigned>(op.kind) >= kOpKinds || ops.size() == kMaxFrameOps) corrupt();
    checkOp(op, space, claimed);
    if (op.kind == OpKind::delta) carried += op.count;
    if (op.kind == OpKind::hint) hints += op.count;
    if (hints > kMaxFrameHints || claimed.size() > kMaxFramePages || carried > kMaxCarriedPages)
      corrupt();
    model_->commit(space, op);
    ops.push_back(op);
  }
  std::sort(claimed.begin(), claimed.end());
  if (std::adjacent_find(claimed.begin(), claimed.end()) != claimed.end()) corrupt();
  // A twin may stand in this very frame, ahead of the op that copies it.
  std::vector<std::uint64_t> ahead;
  for (const Op& op : ops) {
    if (op.kind != OpKind::twin) continue;
    const Location source{op.source};
    for (std::uint64_t i = 0; i < op.count; ++i) {
      const std::uint64_t page = source.page() + i;
      if (output(source.space()).isApplied(page)) continue;
      if (source.space() != space || !std::binary_search(claimed.begin(), claimed.end(), page)) {
        corrupt();
      }
    }
  }
  return ops;
}

Bytes ResidueDecoder::gatherReferences(const std::vector<Op>& ops, Space space, bool isMixed,
                                       std::vector<CarryStep>& steps) const {
  alignas(64) std::uint8_t scratch[kPageSize];
  Bytes references;
  const auto add = [&](CarryStep step, const StateImages& state, Location at) {
    if (steps.size() == kMaxFrameSteps + kMaxFrameHints) corrupt();
    const std::uint8_t* page = state.of(at.space()).page(at.page(), MutablePage(scratch));
    steps.push_back(step);
    references.insert(references.end(), page, page + kPageSize);
  };
  for (const Op& op : ops) {
    if (op.kind == OpKind::hint && !isMixed) corrupt();
    for (std::uint64_t i = 0; i < op.count; ++i) {
      if (op.kind == OpKind::delta) {
        add(CarryStep::page, base_, Location::of(space, op.target + i));
      } else if (op.kind == OpKind::hint) {
        add(CarryStep::learn, base_, Location{op.source + 2 * i});
      } else if (op.kind == OpKind::answer && isMixed) {
        add(CarryStep::learn, *replay_, Location{answers_[op.source + i]});
      }
    }
  }
  return references;
}

void ResidueDecoder::prefetch(const std::vector<Op>& ops, Space space) const {
  for (const Op& op : ops) {
    const Location source{op.source};
    if (op.kind == OpKind::delta) base_.of(space).prefetch(op.target, op.count);
    if (op.kind == OpKind::base) base_.of(source.space()).prefetch(source.page(), op.count);
  }
}

void ResidueDecoder::write(const std::vector<Op>& ops, Space space,
                           std::span<const std::uint8_t> carried) {
  alignas(64) std::uint8_t scratch[kPageSize];
  ResidueOutput& out = output(space);
  for (const Op& op : ops) {
    if (op.kind == OpKind::hint) continue;
    if (op.kind == OpKind::zero) out.zero(op.target, op.count);
    for (std::uint64_t i = 0; i < op.count; ++i) {
      const std::uint64_t page = op.target + i;
      const Location source{op.source};
      switch (op.kind) {
        case OpKind::base:
          out.write(page,
                    Page(base_.of(source.space()).page(source.page() + i, MutablePage(scratch)),
                         kPageSize));
          break;
        case OpKind::twin:
          output(source.space()).read(source.page() + i, MutablePage(scratch));
          out.write(page, Page(scratch));
          break;
        case OpKind::answer: {
          const Location at{answers_[op.source + i]};
          out.write(page,
                    Page(replay_->of(at.space()).page(at.page(), MutablePage(scratch)), kPageSize));
          break;
        }
        case OpKind::delta:
          out.write(page, carried.first<kPageSize>());
          carried = carried.subspan(kPageSize);
          break;
        case OpKind::zero:
        case OpKind::hint:
        case OpKind::end:
          break;
      }
      out.markApplied(page);
    }
    pagesByKind_[static_cast<unsigned>(space)][static_cast<unsigned>(op.kind)] += op.count;
  }
}

void ResidueDecoder::apply(std::span<const std::uint8_t> frame) {
  try {
    const Parsed parsed = parse(frame);
    const std::vector<Op> ops = readOps(parsed.instructions, parsed.space);
    prefetch(ops, parsed.space);
    std::vector<CarryStep> steps;
    const Bytes references = gatherReferences(ops, parsed.space, parsed.isMixed, steps);
    Bytes carried;
    if (!steps.empty()) {
      carried = delta_.decode(parsed.payload, steps, references, parsed.isMixed);
    } else if (!parsed.payload.empty()) {
      corrupt();
    }
    write(ops, parsed.space, carried);
    ++sequence_;
  } catch (...) {
    model_.reset();
    throw;
  }
}

}  // namespace reprise::differ
