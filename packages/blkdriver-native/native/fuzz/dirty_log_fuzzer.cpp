// A dirty log file with any content: it is read, refused, or cut; nothing else.
#include <fcntl.h>
#include <stdlib.h>

#include <cstring>

#include "log/compaction.h"
#include "log/dirty_log.h"
#include "platform/file.h"

using namespace reprise::blk;

namespace {

/// In memory, removed when the fuzzer ends.
struct Scratch {
  Scratch() {
    char name[] = "/dev/shm/blk-fuzz-XXXXXX";
    if (::mkdtemp(name) == nullptr) std::abort();
    path = name;
  }
  ~Scratch() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

void walk(Cursor cursor) {
  std::vector<Record> batch(64);
  while (cursor.next(batch) > 0) {
  }
}

}  // namespace

/// Input: one byte of options, then records. Every second input gets checksums
/// that are right, so that the fuzzer sees behind them.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  constexpr std::uint64_t kSalt = 9;
  constexpr std::uint64_t kBlocks = 10'000;
  static const Scratch scratch;
  const auto dir = scratch.path / "log";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directory(dir);
  std::vector<std::byte> file(Segment::kHeaderBytes);
  Segment::encode_header({.first_sequence = 1, .epoch = 0, .salt = kSalt},
                         std::span(file).first<Segment::kHeaderBytes>());
  file.resize(Segment::kHeaderBytes + size - 1);
  std::memcpy(file.data() + Segment::kHeaderBytes, data + 1, size - 1);
  if ((data[0] & 1) != 0) {
    for (std::size_t at = Segment::kHeaderBytes; at + 24 <= file.size(); at += 24) {
      PackedRecord record;
      std::memcpy(&record, file.data() + at, sizeof record);
      record.tail =
          pack_tail(record.sequence, record.target, static_cast<std::uint32_t>(record.tail), kSalt);
      std::memcpy(file.data() + at, &record, sizeof record);
    }
  }
  {
    const UniqueFd fd = open_file(segment_path(dir, 0, false), O_RDWR | O_CREAT);
    if (write_at(fd.get(), file, 0)) std::abort();
  }
  try {
    walk(open_log_cursor(dir, {.direction = Direction::kBackward, .from_sequence = data[0]}));
    write_compacted(open_segments(dir, LogAccess::kReadOnly), kBlocks,
                    {.first_sequence = 1, .epoch = 0, .salt = kSalt}, Numbering::kKeep,
                    dir / "compacted");
    const auto trust = (data[0] & 2) != 0 ? Trust::kFlushed : Trust::kEverything;
    const auto log =
        DirtyLog::open(dir, {.salt = kSalt, .block_count = kBlocks, .segment_bytes = 4096}, trust);
    walk(log->cursor({}));
  } catch (const Error&) {
    // Refusing is fine.
  }
  return 0;
}
