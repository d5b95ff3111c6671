#pragma once

#include <cstdint>
#include <optional>

#include "platform/crc32c.h"

namespace reprise::blk {

/// What a record of the dirty log says. The values are on disk: see docs/formats/dirty-log.md.
enum class RecordKind : std::uint8_t {
  kWrite = 1,   ///< the blocks got data
  kZero = 2,    ///< the blocks were set to zeros
  kTrim = 3,    ///< the blocks were discarded; they read as zeros
  kEpoch = 4,   ///< a new epoch begins; `target` is its number
  kFlush = 5,   ///< all records with a sequence below `target` are durable, data included
  kRevert = 6,  ///< an earlier mark of the blocks was not carried out: the layer below has them
};

inline bool is_mark(RecordKind kind) noexcept {
  return kind == RecordKind::kWrite || kind == RecordKind::kZero || kind == RecordKind::kTrim ||
         kind == RecordKind::kRevert;
}

struct Record {
  std::uint64_t sequence = 0;
  std::uint64_t target = 0;  ///< first block of a mark, else see RecordKind
  std::uint32_t count = 0;   ///< blocks of a mark, 0 else
  RecordKind kind = RecordKind::kWrite;
};

/// A record as it stands in the file: three little-endian words. A run grows by
/// one store to `tail`, so that a killed process leaves the old run or the new
/// one and never a torn one.
struct PackedRecord {
  std::uint64_t sequence;
  std::uint64_t target;  ///< kind << 56 | target
  std::uint64_t tail;    ///< checksum << 32 | count
};
static_assert(sizeof(PackedRecord) == 24);

inline constexpr std::uint64_t kTargetMask = (std::uint64_t{1} << 56) - 1;

/// `salt` is the overlay's own: another overlay's record is not valid here.
inline std::uint64_t pack_tail(std::uint64_t sequence, std::uint64_t target, std::uint32_t count,
                               std::uint64_t salt) noexcept {
  return std::uint64_t{crc32c_words(sequence ^ salt, target, count)} << 32 | count;
}

inline PackedRecord pack(const Record& record, std::uint64_t salt) noexcept {
  const std::uint64_t target =
      static_cast<std::uint64_t>(record.kind) << 56 | (record.target & kTargetMask);
  return {record.sequence, target, pack_tail(record.sequence, target, record.count, salt)};
}

/// Nothing where the checksum or the kind is wrong: the end of a log, or damage.
inline std::optional<Record> unpack(const PackedRecord& packed, std::uint64_t salt) noexcept {
  const auto count = static_cast<std::uint32_t>(packed.tail);
  if (packed.tail == 0 || packed.tail != pack_tail(packed.sequence, packed.target, count, salt)) {
    return std::nullopt;
  }
  const auto kind = static_cast<std::uint8_t>(packed.target >> 56);
  if (kind < static_cast<std::uint8_t>(RecordKind::kWrite) ||
      kind > static_cast<std::uint8_t>(RecordKind::kRevert)) {
    return std::nullopt;
  }
  const Record record{packed.sequence, packed.target & kTargetMask, count,
                      static_cast<RecordKind>(kind)};
  if (is_mark(record.kind) && record.count == 0) return std::nullopt;
  return record;
}

}  // namespace reprise::blk
