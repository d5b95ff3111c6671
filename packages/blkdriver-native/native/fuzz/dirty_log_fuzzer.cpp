// A dirty log of files with any content, headers and compacted ones included: it is read, refused,
// or cut; nothing else.
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

constexpr std::uint64_t kSalt = 9;
constexpr std::uint64_t kBlocks = 10'000;
constexpr unsigned kMostFiles = 6;

/// How a file of the input is made. Right checksums let the fuzzer see behind them.
enum Flags : std::uint8_t {
  kRightRecords = 1,
  kCompacted = 2,
  kOwnHeader = 4,    ///< the first 64 bytes are the header
  kRightHeader = 8,  ///< of those, the checksum
  kStepShift = 4,    ///< two bits: how far the ordinal is from the last file's, less 1
};

void correct_records(std::span<std::byte> records) {
  for (std::size_t at = 0; at + sizeof(PackedRecord) <= records.size(); at += 24) {
    PackedRecord record;
    std::memcpy(&record, records.data() + at, sizeof record);
    record.tail =
        pack_tail(record.sequence, record.target, static_cast<std::uint32_t>(record.tail), kSalt);
    std::memcpy(records.data() + at, &record, sizeof record);
  }
}

/// docs/formats/dirty-log.md: the checksum stands at 12, and is of the rest with zero there.
void correct_header(std::span<std::byte> header) {
  std::memset(header.data() + 12, 0, 4);
  const std::uint32_t checksum = crc32c(header);
  std::memcpy(header.data() + 12, &checksum, 4);
}

std::vector<std::byte> make_file(std::uint8_t flags, std::uint8_t first_sequence,
                                 std::span<const std::byte> content) {
  std::vector<std::byte> file;
  if ((flags & kOwnHeader) == 0) {
    file.resize(Segment::kHeaderBytes);
    Segment::encode_header({.first_sequence = first_sequence, .epoch = 0, .salt = kSalt},
                           std::span(file).first<Segment::kHeaderBytes>());
  }
  file.insert(file.end(), content.begin(), content.end());
  if (file.size() < Segment::kHeaderBytes) return file;
  const auto header = std::span(file).first(Segment::kHeaderBytes);
  if ((flags & kRightHeader) != 0) correct_header(header);
  if ((flags & kRightRecords) != 0) correct_records(std::span(file).subspan(header.size()));
  return file;
}

/// Input: [flags, first sequence, length u16, content] a file.
void write_files(const std::filesystem::path& dir, std::span<const std::byte> in) {
  std::uint64_t ordinal = 0;
  for (unsigned n = 0; n < kMostFiles && in.size() >= 4; ++n) {
    const auto flags = static_cast<std::uint8_t>(in[0]);
    const std::size_t length = std::min<std::size_t>(
        static_cast<std::size_t>(in[2]) | static_cast<std::size_t>(in[3]) << 8, in.size() - 4);
    const auto file = make_file(flags, static_cast<std::uint8_t>(in[1]), in.subspan(4, length));
    const auto path = segment_path(dir, ordinal, (flags & kCompacted) != 0);
    const UniqueFd fd = open_file(path, O_RDWR | O_CREAT | O_TRUNC);
    if (write_at(fd.get(), file, 0)) std::abort();
    ordinal += 1 + (flags >> kStepShift & 3);
    in = in.subspan(4 + length);
  }
}

void walk(Cursor cursor) {
  std::vector<Record> batch(64);
  while (cursor.next(batch) > 0) {
  }
}

}  // namespace

/// Input: one byte of options, then files.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2 || size > 8192) return 0;
  static const Scratch scratch;
  const auto dir = scratch.path / "log";
  std::filesystem::remove_all(dir);
  std::filesystem::create_directory(dir);
  write_files(dir, std::as_bytes(std::span(data, size)).subspan(1));
  try {
    walk(open_log_cursor(dir, {.direction = Direction::kBackward, .from_sequence = data[0]}));
    write_compacted(open_segments(dir, LogAccess::kReadOnly), kBlocks,
                    {.first_sequence = 1, .epoch = 0, .salt = kSalt}, Numbering::kKeep,
                    dir / "compacted");
  } catch (const Error&) {
    // Refusing is fine, and what cannot be read as it stands may be opened after a power loss.
  }
  try {
    const auto trust = (data[0] & 2) != 0 ? Trust::kFlushed : Trust::kEverything;
    const auto log =
        DirtyLog::open(dir, {.salt = kSalt, .block_count = kBlocks, .segment_bytes = 4096}, trust);
    walk(log->cursor({}));
    // Whatever was there, what is marked now can be read again.
    DirtyLog::Ticket ticket;
    if (log->mark(RecordKind::kWrite, 7, 1, ticket)) return 0;
    log->complete(ticket);
    std::vector<Record> newest(1);
    Cursor backward = log->cursor({.direction = Direction::kBackward});
    if (backward.next(newest) != 1 || newest[0].target != 7) std::abort();
  } catch (const Error&) {
    // Refusing is fine.
  }
  return 0;
}
