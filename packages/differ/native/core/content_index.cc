#include "content_index.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdio>

#include "compare.h"
#include "fault.h"

namespace reprise::differ {
namespace {

constexpr std::uint64_t kMagic = 0x3130'5844'4952'5052;  // "RPRIDX01"
constexpr std::uint32_t kVersion = 1;
constexpr unsigned kMaxDirectoryBits = 28;

// The first 64 B of the file; the directory starts at 64, the entries at the next multiple of 16.
struct Header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint8_t algorithm;
  std::uint8_t directoryBits;
  std::uint16_t reserved;
  std::uint64_t keyCheck;
  std::uint64_t ramPages;
  std::uint64_t diskPages;
  std::uint64_t entryCount;
  std::uint64_t directoryChecksum;  // XXH3-64
  std::uint64_t headerChecksum;     // XXH3-64 of the bytes before it
};
static_assert(sizeof(Header) == 64);

[[noreturn]] void corrupt() {
  throw Fault("INDEX_CORRUPT", "The content index is damaged. Build it again from the snapshot.");
}

std::uint64_t headerChecksum(const Header& header) {
  return XXH3_64bits(&header, offsetof(Header, headerChecksum));
}

std::uint64_t directorySlots(unsigned bits) {
  return (std::uint64_t{1} << bits) + 1;
}

std::uint64_t entriesOffset(unsigned bits) {
  return (sizeof(Header) + directorySlots(bits) * sizeof(std::uint32_t) + 15) / 16 * 16;
}

std::uint64_t bucketOf(std::uint64_t fingerprint, unsigned bits) {
  return bits == 0 ? 0 : fingerprint >> (64 - bits);
}

// Keeps the first location of each content and space. The entries are sorted.
std::size_t dropDuplicates(std::span<IndexEntry> entries) {
  std::size_t kept = 0;
  for (const IndexEntry& entry : entries) {
    bool known = false;
    for (std::size_t i = kept; i-- > 0 && entries[i].fingerprint == entry.fingerprint;) {
      if (((entries[i].location ^ entry.location) & 1) == 0) {
        known = true;
        break;
      }
    }
    if (!known) entries[kept++] = entry;
  }
  return kept;
}

}  // namespace

std::vector<IndexEntry> indexPages(const Image& image, Space space, std::uint64_t first,
                                   std::uint64_t count, const Fingerprinter& fingerprinter) {
  std::vector<IndexEntry> entries;
  visitHeldPages(image, first, count, [&](std::uint64_t number, const std::uint8_t* page) {
    if (isZeroPage(page)) return;
    entries.push_back(
        {fingerprinter.of({page, kPageSize}).low, Location::of(space, number).packed});
  });
  return entries;
}

IndexSummary writeIndex(const std::string& path, std::span<IndexEntry> entries,
                        std::uint64_t ramPages, std::uint64_t diskPages,
                        const Fingerprinter& fingerprinter) {
  std::sort(entries.begin(), entries.end());
  entries = entries.first(dropDuplicates(entries));
  if (entries.size() >= UINT32_MAX) {
    throw Fault("INDEX_TOO_LARGE",
                "The snapshot holds 2^32 distinct pages or more; 16 TiB is the "
                "limit. Split the disk.");
  }
  const unsigned bits = std::min<unsigned>(
      kMaxDirectoryBits, static_cast<unsigned>(std::bit_width(entries.size() / 8)));
  std::vector<std::uint32_t> directory(directorySlots(bits));
  for (const IndexEntry& entry : entries) ++directory[bucketOf(entry.fingerprint, bits) + 1];
  for (std::size_t i = 1; i < directory.size(); ++i) directory[i] += directory[i - 1];

  const std::span directoryBytes(reinterpret_cast<const std::uint8_t*>(directory.data()),
                                 directory.size() * sizeof(std::uint32_t));
  Header header{};
  header.magic = kMagic;
  header.version = kVersion;
  header.algorithm = static_cast<std::uint8_t>(fingerprinter.algorithm());
  header.directoryBits = static_cast<std::uint8_t>(bits);
  header.keyCheck = fingerprinter.keyCheck();
  header.ramPages = ramPages;
  header.diskPages = diskPages;
  header.entryCount = entries.size();
  header.directoryChecksum = XXH3_64bits(directoryBytes.data(), directoryBytes.size());
  header.headerChecksum = headerChecksum(header);

  const std::string temporary = path + ".partial";
  try {
    const FileDescriptor file(temporary, O_RDWR | O_CREAT | O_TRUNC);
    file.writeAt({reinterpret_cast<const std::uint8_t*>(&header), sizeof header}, 0);
    file.writeAt(directoryBytes, sizeof header);
    file.writeAt({reinterpret_cast<const std::uint8_t*>(entries.data()), entries.size_bytes()},
                 entriesOffset(bits));
    if (ftruncate(file.get(), static_cast<off_t>(entriesOffset(bits) + entries.size_bytes())) !=
        0) {
      throw systemFault("FILE_UNWRITABLE", "Cannot size " + temporary, errno);
    }
    file.sync();
    if (std::rename(temporary.c_str(), path.c_str()) != 0) {
      throw systemFault("FILE_UNWRITABLE", "Cannot rename to " + path, errno);
    }
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
  return {entries.size(), entriesOffset(bits) + entries.size_bytes()};
}

ContentIndex::ContentIndex(const std::string& path, const Fingerprinter& fingerprinter,
                           std::uint64_t ramPages, std::uint64_t diskPages)
    : file_(path) {
  const auto bytes = file_.bytes();
  Header header;
  if (bytes.size() < sizeof header) corrupt();
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.headerChecksum != headerChecksum(header)) corrupt();
  if (header.version != kVersion ||
      header.algorithm != static_cast<std::uint8_t>(fingerprinter.algorithm()) ||
      header.keyCheck != fingerprinter.keyCheck() || header.ramPages != ramPages ||
      header.diskPages != diskPages) {
    throw Fault("INDEX_MISMATCH",
                "The content index was built for another snapshot, key, algorithm or version. "
                "Build it again from this snapshot.");
  }
  directoryBits_ = header.directoryBits;
  if (directoryBits_ > kMaxDirectoryBits || header.entryCount >= UINT32_MAX ||
      bytes.size() != entriesOffset(directoryBits_) + header.entryCount * sizeof(IndexEntry)) {
    corrupt();
  }
  directory_ = {reinterpret_cast<const std::uint32_t*>(bytes.data() + sizeof header),
                directorySlots(directoryBits_)};
  if (XXH3_64bits(directory_.data(), directory_.size_bytes()) != header.directoryChecksum)
    corrupt();
  // Every bucket lies inside the entries, whatever the file says: no lookup can leave the mapping.
  if (directory_.front() != 0 || directory_.back() != header.entryCount ||
      !std::is_sorted(directory_.begin(), directory_.end())) {
    corrupt();
  }
  entries_ = {reinterpret_cast<const IndexEntry*>(bytes.data() + entriesOffset(directoryBits_)),
              header.entryCount};
}

std::span<const IndexEntry> ContentIndex::find(std::uint64_t fingerprint) const {
  const std::uint64_t bucket = bucketOf(fingerprint, directoryBits_);
  const auto inBucket =
      entries_.subspan(directory_[bucket], directory_[bucket + 1] - directory_[bucket]);
  const auto range = std::equal_range(
      inBucket.begin(), inBucket.end(), IndexEntry{fingerprint, 0},
      [](const IndexEntry& a, const IndexEntry& b) { return a.fingerprint < b.fingerprint; });
  return {range.first, range.second};
}

}  // namespace reprise::differ
