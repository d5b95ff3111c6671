#include "log/segment.h"

#include <fcntl.h>

#include <array>
#include <atomic>
#include <cstring>
#include <vector>

namespace reprise::blk {
namespace {

constexpr std::uint64_t kMagic = 0x31474F4C53525052;  // "RPRSLOG1"
constexpr std::uint32_t kVersion = 1;

/// docs/formats/dirty-log.md, table "segment header".
struct Header {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t checksum;  ///< CRC-32C of the header with this field zero
  std::uint64_t first_sequence;
  std::uint64_t epoch;
  std::uint64_t salt;
  std::uint64_t reserved[3];
};
static_assert(sizeof(Header) == Segment::kHeaderBytes);

std::uint32_t checksum_of(Header header) {
  header.checksum = 0;
  return crc32c(std::as_bytes(std::span(&header, 1)));
}

Header make_header(const Segment::Identity& identity) {
  Header header{kMagic, kVersion, 0, identity.first_sequence, identity.epoch, identity.salt, {}};
  header.checksum = checksum_of(header);
  return header;
}

void store(std::byte* where, std::uint64_t value) noexcept {
  std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(where))
      .store(value, std::memory_order_release);
}

}  // namespace

void Segment::encode_header(const Identity& identity, std::span<std::byte, kHeaderBytes> out) {
  const Header header = make_header(identity);
  std::memcpy(out.data(), &header, sizeof header);
}

std::shared_ptr<Segment> Segment::prepare(const std::filesystem::path& path, std::size_t bytes) {
  std::shared_ptr<Segment> segment(new Segment(path, open_file(path, O_RDWR | O_CREAT | O_TRUNC)));
  segment->reopen_for_append(0, bytes);
  return segment;
}

std::shared_ptr<Segment> Segment::open(const std::filesystem::path& path, bool writable) {
  std::shared_ptr<Segment> segment(
      new Segment(path, open_file(path, writable ? O_RDWR : O_RDONLY)));
  Header header;
  if (auto error = read_at(segment->fd_.get(), std::as_writable_bytes(std::span(&header, 1)), 0)) {
    throw_os_error("read", path, error.value());
  }
  if (header.magic != kMagic || header.checksum != checksum_of(header)) return nullptr;
  if (header.version != kVersion) {
    throw Error(ErrorCode::kOverlayVersion,
                "The dirty log " + path.string() + " has format version " +
                    std::to_string(header.version) + ", this program reads 1. Update reprise.",
                path);
  }
  segment->identity_ = {header.first_sequence, header.epoch, header.salt};
  const std::uint64_t size = file_size(segment->fd_.get(), path);
  segment->capacity_ = size < kHeaderBytes ? 0 : (size - kHeaderBytes) / kRecordBytes;
  return segment;
}

void Segment::activate(const Identity& identity) noexcept {
  identity_ = identity;
  const Header header = make_header(identity);
  std::memcpy(map_.data() + 8, reinterpret_cast<const std::byte*>(&header) + 8, sizeof header - 8);
  store(map_.data(), header.magic);  // last: without it the segment does not exist
}

void Segment::reopen_for_append(std::size_t records, std::size_t bytes) {
  const std::uint64_t used = kHeaderBytes + records * kRecordBytes;
  if (identity_.salt != 0 || records > 0) resize(fd_.get(), used, path_);
  if (auto error = reserve(fd_.get(), 0, bytes)) throw_os_error("extend", path_, error.value());
  map_ = MappedFile(fd_.get(), bytes, true, path_);
  capacity_ = (bytes - kHeaderBytes) / kRecordBytes;
}

void Segment::trim(std::size_t records) {
  map_ = MappedFile();
  resize(fd_.get(), kHeaderBytes + records * kRecordBytes, path_);
  capacity_ = records;
}

void Segment::put(std::size_t index, const PackedRecord& record) noexcept {
  std::byte* const where = slot(index);
  store(where, record.sequence);
  store(where + 8, record.target);
  store(where + 16, record.tail);  // last: it makes the record valid
}

void Segment::put_tail(std::size_t index, std::uint64_t tail) noexcept {
  store(slot(index) + 16, tail);
}

void Segment::read(std::size_t index, std::span<PackedRecord> out) const {
  if (auto error =
          read_at(fd_.get(), std::as_writable_bytes(out), kHeaderBytes + index * kRecordBytes)) {
    throw_os_error("read", path_, error.value());
  }
}

std::size_t Segment::count_valid() const {
  std::vector<PackedRecord> batch(4096);
  std::size_t valid = 0;
  while (valid < capacity_) {
    const std::size_t wanted = std::min(batch.size(), capacity_ - valid);
    read(valid, std::span(batch).first(wanted));
    for (std::size_t i = 0; i < wanted; ++i) {
      if (!unpack(batch[i], identity_.salt)) return valid + i;
    }
    valid += wanted;
  }
  return valid;
}

}  // namespace reprise::blk
