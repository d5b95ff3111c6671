#include "log/compaction.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <vector>

#include "log/cursor.h"
#include "log/reversing_spool.h"
#include "log/seen_blocks.h"

namespace reprise::blk {
namespace {

constexpr std::size_t kBatch = ReversingSpool::kBatch;

void check_inside(const Record& record, std::uint64_t block_count,
                  const std::filesystem::path& path) {
  if (record.target <= block_count && record.count <= block_count - record.target) return;
  throw Error(ErrorCode::kLogCorrupt,
              "The dirty log in " + path.parent_path().string() +
                  " names blocks beyond the disk. Restore the overlay from a snapshot.",
              path);
}

/// The runs of `record` that nothing later wrote, last run first.
template <typename Sink>
void keep_unseen(const Record& record, SeenBlocks& seen, Sink&& sink) {
  std::uint32_t kept = 0;
  for (std::uint64_t i = record.count; i > 0; --i) {
    if (seen.insert(record.target + i - 1)) {
      ++kept;
      continue;
    }
    if (kept > 0) sink(Record{record.sequence, record.target + i, kept, record.kind});
    kept = 0;
  }
  if (kept > 0) sink(Record{record.sequence, record.target, kept, record.kind});
}

}  // namespace

CompactionResult write_compacted(std::span<const SegmentView> inputs, std::uint64_t block_count,
                                 const Segment::Identity& identity, Numbering numbering,
                                 const std::filesystem::path& out, const std::stop_token& stop) {
  auto spool_path = out;
  ReversingSpool spool(spool_path += ".spool");
  SeenBlocks seen(block_count);
  bool flush_kept = false;
  std::vector<Record> batch(kBatch);
  Cursor backward({inputs.begin(), inputs.end()}, {.direction = Direction::kBackward});
  while (const std::size_t n = backward.next(batch)) {
    check_wanted(stop);
    for (std::size_t i = 0; i < n; ++i) {
      const Record& record = batch[i];
      if (record.kind == RecordKind::kRevert && numbering == Numbering::kFresh) {
        continue;  // it speaks of one layer only; the older mark may be another's
      }
      if (is_mark(record.kind)) {
        check_inside(record, block_count, out);
        keep_unseen(record, seen, [&](const Record& run) { spool.push(run); });
      } else if (numbering == Numbering::kKeep &&
                 (record.kind == RecordKind::kEpoch || !flush_kept)) {
        flush_kept = flush_kept || record.kind == RecordKind::kFlush;
        spool.push(record);
      }
    }
  }

  const UniqueFd file = open_file(out, O_WRONLY | O_CREAT | O_TRUNC);
  std::array<std::byte, Segment::kHeaderBytes> header;
  Segment::encode_header(identity, header);
  std::vector<PackedRecord> packed;
  CompactionResult result;
  const auto write_out = [&] {
    const std::uint64_t offset = Segment::kHeaderBytes + result.records * Segment::kRecordBytes;
    if (auto error = write_at(file.get(), std::as_bytes(std::span(packed)), offset)) {
      throw_os_error("write", out, error.value());
    }
    result.records += packed.size();
    packed.clear();
  };
  std::uint64_t fresh = 0;
  spool.drain([&](Record record) {
    if (numbering == Numbering::kFresh) record.sequence = ++fresh;
    result.last_sequence = record.sequence;
    packed.push_back(pack(record, identity.salt));
    if (packed.size() == kBatch) write_out();
  });
  write_out();
  if (auto error = write_at(file.get(), header, 0)) throw_os_error("write", out, error.value());
  if (auto error = sync_data(file.get())) throw_os_error("flush", out, error.value());
  return result;
}

}  // namespace reprise::blk
