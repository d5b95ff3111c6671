#include "chunk_frame.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>

#include "blob.h"
#include "fault.h"

namespace reprise::differ {
namespace {

constexpr std::uint8_t kVersion = 1;

}  // namespace

Bytes encodeChunk(const Image& image, std::uint64_t first, std::uint64_t count, int level) {
  if (count == 0 || count > kMaxChunkPages) {
    throw Fault("ARGUMENT_INVALID", "A chunk has 1 to 256 pages. Split the run.");
  }
  alignas(64) std::uint8_t scratch[kPageSize];
  Bytes pages;
  pages.reserve(count * kPageSize);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint8_t* page = image.page(first + i, MutablePage(scratch));
    pages.insert(pages.end(), page, page + kPageSize);
  }
  const Bytes payload = compressBlob(pages, level, {});
  Bytes out{kVersion};
  putVarint(out, first);
  putVarint(out, count);
  out.insert(out.end(), payload.begin(), payload.end());
  putLittleEndian(out, static_cast<std::uint32_t>(XXH3_64bits(out.data(), out.size())));
  return out;
}

AppliedChunk applyChunk(std::span<const std::uint8_t> frame, const std::string& path,
                        std::uint64_t sizeBytes) {
  ByteReader reader(frame, "CHUNK_CORRUPT",
                    "A chunk is damaged or leaves its image; nothing of it was applied. Ask for it "
                    "again.");
  if (frame.size() < 4) reader.fail();
  ByteReader trailer(frame.last(4), "CHUNK_CORRUPT", "");
  if (trailer.littleEndian<std::uint32_t>() !=
      static_cast<std::uint32_t>(XXH3_64bits(frame.data(), frame.size() - 4))) {
    reader.fail();
  }
  if (reader.byte() != kVersion) reader.fail();
  const std::uint64_t first = reader.varint();
  const std::uint64_t count = reader.varint();
  const std::uint64_t limit = pagesOf(sizeBytes);
  if (count == 0 || count > kMaxChunkPages || count > limit || first > limit - count ||
      reader.remaining() < 4) {
    reader.fail();
  }
  const Bytes pages = decompressBlob(reader.take(reader.remaining() - 4), {}, count * kPageSize);
  if (pages.size() != count * kPageSize) reader.fail();
  const FileDescriptor file(path, O_RDWR | O_CREAT);
  if (file.sizeBytes() < sizeBytes && ftruncate(file.get(), static_cast<off_t>(sizeBytes)) != 0) {
    throw systemFault("FILE_UNWRITABLE", "Cannot size " + path, errno);
  }
  const std::uint64_t offset = first * kPageSize;
  const std::uint64_t length = std::min<std::uint64_t>(pages.size(), sizeBytes - offset);
  file.writeAt(std::span(pages).first(length), offset);
  return {first, count};
}

}  // namespace reprise::differ
