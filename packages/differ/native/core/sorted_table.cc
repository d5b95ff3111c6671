#include "sorted_table.h"

#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <type_traits>
#include <utility>

#include "fault.h"
#include "key_order.h"
#include "page.h"

namespace reprise::differ {
namespace {

constexpr std::uint64_t kMagic = 0x3230'5844'4952'5052;  // "RPRIDX02"
constexpr std::uint32_t kVersion = 2;
constexpr unsigned kMaxDirectoryBits = 28;
constexpr std::size_t kSampledBlocks = 64;

// The first 72 B of the file; the directory starts at 72, the entries at the next multiple of 16.
struct Header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint8_t algorithm;
  std::uint8_t directoryBits;
  std::uint8_t entryBytes;
  std::uint8_t reserved;
  std::uint64_t keyCheck;
  std::uint64_t ramPages;
  std::uint64_t diskPages;
  std::uint64_t entryCount;
  std::uint64_t directoryChecksum;  // XXH3-64
  std::uint64_t sampleChecksum;     // of up to 64 blocks of the entries, evenly spread
  std::uint64_t headerChecksum;     // XXH3-64 of the bytes before it
};
static_assert(sizeof(Header) == 72);

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

std::uint64_t bucketOf(std::uint64_t key, unsigned bits) {
  return bits == 0 ? 0 : key >> (64 - bits);
}

// Reads a bounded part: enough to notice a file that a power loss left without its data.
std::uint64_t sampleChecksum(std::span<const std::uint8_t> bytes) {
  std::uint64_t sum = XXH3_64bits(nullptr, 0);
  const std::size_t blocks = (bytes.size() + kPageSize - 1) / kPageSize;
  const std::size_t sampled = std::min(blocks, kSampledBlocks);
  for (std::size_t i = 0; i < sampled; ++i) {
    const std::size_t at = i * blocks / sampled * kPageSize;
    const auto block = bytes.subspan(at, std::min(kPageSize, bytes.size() - at));
    sum = XXH3_64bits_withSeed(block.data(), block.size(), sum);
  }
  return sum;
}

template <typename Entry>
std::span<const std::uint8_t> bytesOf(std::span<const Entry> entries) {
  return {reinterpret_cast<const std::uint8_t*>(entries.data()), entries.size_bytes()};
}

// How many locations a space are kept for one key: enough to find a run that goes on, or a page
// that resembles, and few enough that content which stands everywhere costs no more than any other.
template <typename Entry>
constexpr std::size_t kKept = std::is_same_v<Entry, IndexEntry> ? 2 : 24;

// Sorts a bucket and drops what is too much of the same; returns how many stay at its front.
template <typename Entry>
std::size_t settleBucket(std::span<Entry> bucket) {
  std::sort(bucket.begin(), bucket.end());
  std::size_t kept = 0;
  std::size_t same[2] = {0, 0};
  std::uint64_t key = 0;
  for (std::size_t i = 0; i < bucket.size(); ++i) {
    if (i == 0 || bucket[i].key() != key) same[0] = same[1] = 0;
    key = bucket[i].key();
    if (same[bucket[i].location & 1]++ < kKept<Entry>) bucket[kept++] = bucket[i];
  }
  return kept;
}

// Brings groups of buckets into order, one after the other.
template <typename Entry>
class BucketSorter {
 public:
  BucketSorter(unsigned bits, unsigned groupBits)
      : bits_(bits),
        directory_(directorySlots(bits)),
        next_(std::size_t{1} << (bits - groupBits)) {}

  // One counting pass over the group's buckets, then small sorts: linear in the entries. What stays
  // of the group, in order, until the next call.
  std::span<const Entry> sort(std::size_t number, std::span<const Entry> group) {
    const std::size_t firstBucket = number * next_.size();
    std::fill(next_.begin(), next_.end(), 0);
    for (const Entry& entry : group) ++next_[bucketOf(entry.key(), bits_) - firstBucket];
    std::uint32_t begin = 0;
    for (std::uint32_t& count : next_) count = std::exchange(begin, begin + count);
    sorted_.resize(group.size());
    for (const Entry& entry : group) {
      sorted_[next_[bucketOf(entry.key(), bits_) - firstBucket]++] = entry;
    }
    std::size_t stayed = 0;
    begin = 0;
    for (std::size_t bucket = 0; bucket < next_.size(); ++bucket) {
      const std::span entries(sorted_.data() + begin, next_[bucket] - begin);
      begin = next_[bucket];
      const auto stay = static_cast<std::ptrdiff_t>(settleBucket(entries));
      directory_[firstBucket + bucket] = static_cast<std::uint32_t>(kept_ + stayed);
      std::copy(entries.begin(), entries.begin() + stay, sorted_.data() + stayed);
      stayed += static_cast<std::size_t>(stay);
    }
    kept_ += stayed;
    directory_.back() = static_cast<std::uint32_t>(kept_);
    return {sorted_.data(), stayed};
  }

  std::size_t kept() const { return kept_; }
  std::span<const std::uint32_t> directory() const { return directory_; }

 private:
  unsigned bits_;
  std::vector<std::uint32_t> directory_;
  std::vector<std::uint32_t> next_;  // of each bucket of a group
  std::vector<Entry> sorted_;
  std::size_t kept_ = 0;
};

}  // namespace

template <typename Entry>
TableSummary writeTable(const std::string& path, std::span<const std::span<Entry>> parts,
                        const TableIdentity& identity) {
  std::size_t count = 0;
  for (const auto& part : parts) count += part.size();
  if (count >= UINT32_MAX) {
    throw Fault("INDEX_TOO_LARGE", "A table of the content index is full. Build it in segments.");
  }
  const unsigned bits =
      std::min<unsigned>(kMaxDirectoryBits, static_cast<unsigned>(std::bit_width(count / 8)));
  const unsigned groupBits = std::min(bits, kMaxGroupBits);
  Header header{};
  header.magic = kMagic;
  header.version = kVersion;
  header.algorithm = identity.algorithm;
  header.directoryBits = static_cast<std::uint8_t>(bits);
  header.entryBytes = sizeof(Entry);
  header.keyCheck = identity.keyCheck;
  header.ramPages = identity.ramPages;
  header.diskPages = identity.diskPages;

  const std::string temporary = path + ".partial";
  try {
    const FileDescriptor file(temporary, O_RDWR | O_CREAT | O_TRUNC);
    const KeyOrder<Entry> order(parts, groupBits);
    BucketSorter<Entry> sorter(bits, groupBits);
    std::vector<Entry> group;
    for (std::size_t number = 0; number < order.groups(); ++number) {
      order.gather(number, group);
      const std::uint64_t at = entriesOffset(bits) + sorter.kept() * sizeof(Entry);
      file.writeAt(bytesOf(sorter.sort(number, group)), at);
    }
    const std::uint64_t fileBytes = entriesOffset(bits) + sorter.kept() * sizeof(Entry);
    if (ftruncate(file.get(), static_cast<off_t>(fileBytes)) != 0) {
      throw systemFault("FILE_UNWRITABLE", "Cannot size " + temporary, errno);
    }
    const auto directoryBytes = bytesOf(sorter.directory());
    file.writeAt(directoryBytes, sizeof header);
    header.entryCount = sorter.kept();
    header.directoryChecksum = XXH3_64bits(directoryBytes.data(), directoryBytes.size());
    const MappedFile written(temporary, Access::scattered);
    header.sampleChecksum = sampleChecksum(written.bytes().subspan(entriesOffset(bits)));
    header.headerChecksum = headerChecksum(header);
    file.writeAt({reinterpret_cast<const std::uint8_t*>(&header), sizeof header}, 0);
    if (std::rename(temporary.c_str(), path.c_str()) != 0) {
      throw systemFault("FILE_UNWRITABLE", "Cannot rename to " + path, errno);
    }
    return {sorter.kept(), fileBytes};
  } catch (...) {
    unlink(temporary.c_str());
    throw;
  }
}

template <typename Entry>
SortedTable<Entry>::SortedTable(const std::string& path, const TableIdentity& identity,
                                Access access)
    : file_(path, access) {
  const auto bytes = file_.bytes();
  Header header;
  if (bytes.size() < sizeof header) corrupt();
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic || header.headerChecksum != headerChecksum(header) ||
      header.entryBytes != sizeof(Entry)) {
    corrupt();
  }
  if (header.version != kVersion || header.algorithm != identity.algorithm ||
      header.keyCheck != identity.keyCheck || header.ramPages != identity.ramPages ||
      header.diskPages != identity.diskPages) {
    throw Fault("INDEX_MISMATCH",
                "The content index was built for another snapshot, key, algorithm or version. "
                "Build it again from this snapshot.");
  }
  directoryBits_ = header.directoryBits;
  if (directoryBits_ > kMaxDirectoryBits || header.entryCount >= UINT32_MAX ||
      bytes.size() != entriesOffset(directoryBits_) + header.entryCount * sizeof(Entry)) {
    corrupt();
  }
  directory_ = {reinterpret_cast<const std::uint32_t*>(bytes.data() + sizeof header),
                directorySlots(directoryBits_)};
  file_.prefetch(sizeof header, directory_.size_bytes());
  if (XXH3_64bits(directory_.data(), directory_.size_bytes()) != header.directoryChecksum)
    corrupt();
  // Every bucket lies inside the entries, whatever the file says: no lookup can leave the mapping.
  if (directory_.front() != 0 || directory_.back() != header.entryCount ||
      !std::is_sorted(directory_.begin(), directory_.end())) {
    corrupt();
  }
  entries_ = {reinterpret_cast<const Entry*>(bytes.data() + entriesOffset(directoryBits_)),
              header.entryCount};
  if (sampleChecksum(bytesOf(entries_)) != header.sampleChecksum) corrupt();
}

template <typename Entry>
std::span<const Entry> SortedTable<Entry>::find(std::uint64_t key) const {
  const std::uint64_t bucket = bucketOf(key, directoryBits_);
  const auto inBucket =
      entries_.subspan(directory_[bucket], directory_[bucket + 1] - directory_[bucket]);
  const auto first = std::lower_bound(inBucket.begin(), inBucket.end(), key,
                                      [](const Entry& e, std::uint64_t k) { return e.key() < k; });
  auto last = first;
  while (last != inBucket.end() && last->key() == key) ++last;
  return {first, last};
}

template TableSummary writeTable(const std::string&, std::span<const std::span<IndexEntry>>,
                                 const TableIdentity&);
template TableSummary writeTable(const std::string&, std::span<const std::span<FeatureEntry>>,
                                 const TableIdentity&);
template class SortedTable<IndexEntry>;
template class SortedTable<FeatureEntry>;

}  // namespace reprise::differ
