#include "overlay/header.h"

#include <fcntl.h>
#include <sys/file.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "device/block_range.h"
#include "error.h"
#include "platform/crc32c.h"
#include "platform/file.h"

namespace reprise::blk {
namespace {

constexpr std::uint64_t kMagic = 0x31594C5652505252;  // "RRPRVLY1"
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kSlotBytes = 512;  // what a disk writes whole
constexpr std::uint64_t kSlots = 2;

/// docs/formats/overlay.md, table "header".
struct Slot {
  std::uint64_t magic;
  std::uint32_t version;
  std::uint32_t checksum;  ///< CRC-32C of the slot with this field zero
  std::uint64_t generation;
  std::uint64_t size_bytes;
  std::uint32_t block_bytes;
  std::uint32_t state;
  std::uint64_t salt;
  Identifier boot;
  Identifier identifier;
};
static_assert(sizeof(Slot) == 80);

std::uint32_t checksum_of(Slot slot) {
  slot.checksum = 0;
  return crc32c(std::as_bytes(std::span(&slot, 1)));
}

std::optional<Slot> read_slot(int fd, std::uint64_t index, const std::filesystem::path& path) {
  Slot slot;
  if (auto error = read_at(fd, std::as_writable_bytes(std::span(&slot, 1)), index * kSlotBytes)) {
    throw_os_error("read", path, error.value());
  }
  if (slot.magic != kMagic || slot.checksum != checksum_of(slot)) return std::nullopt;
  if (slot.version != kVersion || slot.block_bytes != kBlockSize) {
    throw Error(ErrorCode::kOverlayVersion,
                "The overlay " + path.parent_path().string() + " has format version " +
                    std::to_string(slot.version) + ", this program reads 1. Update reprise.",
                path.parent_path());
  }
  return slot;
}

}  // namespace

HeaderFile HeaderFile::create(const std::filesystem::path& dir, const OverlayHeader& header) {
  const auto path = dir / "header";
  HeaderFile file(path, open_file(path, O_RDWR | O_CREAT | O_EXCL));
  file.header_ = header;
  resize(file.fd_.get(), kSlots * kSlotBytes, path);
  file.store();
  return file;
}

HeaderFile HeaderFile::open(const std::filesystem::path& dir, bool writable) {
  const auto path = dir / "header";
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    throw Error(ErrorCode::kOverlayNotFound,
                "There is no overlay at " + dir.string() + ". Create one with createOverlay().",
                dir);
  }
  HeaderFile file(path, open_file(path, writable ? O_RDWR : O_RDONLY));
  if (::flock(file.fd_.get(), (writable ? LOCK_EX : LOCK_SH) | LOCK_NB) < 0) {
    if (errno != EWOULDBLOCK) throw_os_error("lock", path, errno);
    throw Error(ErrorCode::kOverlayBusy,
                "The overlay " + dir.string() +
                    " is in use by another driver. Close that one first, or wait for it to end.",
                dir);
  }
  file.load();
  return file;
}

void HeaderFile::load() {
  std::optional<Slot> newest;
  for (std::uint64_t i = 0; i < kSlots; ++i) {
    const auto slot = read_slot(fd_.get(), i, path_);
    if (slot && (!newest || slot->generation > newest->generation)) newest = slot;
  }
  if (!newest || newest->state < 1 || newest->state > 3) {
    throw Error(ErrorCode::kOverlayCorrupt,
                "The overlay " + path_.parent_path().string() +
                    " has no valid header. Restore it from a snapshot.",
                path_.parent_path());
  }
  generation_ = newest->generation;
  header_ = {newest->size_bytes, static_cast<OverlayState>(newest->state), newest->boot,
             newest->identifier, newest->salt};
}

void HeaderFile::store() {
  ++generation_;
  Slot slot{kMagic,
            kVersion,
            0,
            generation_,
            header_.size_bytes,
            static_cast<std::uint32_t>(kBlockSize),
            static_cast<std::uint32_t>(header_.state),
            header_.salt,
            header_.boot,
            header_.identifier};
  slot.checksum = checksum_of(slot);
  const std::uint64_t offset = generation_ % kSlots * kSlotBytes;
  auto error = write_at(fd_.get(), std::as_bytes(std::span(&slot, 1)), offset);
  if (!error) error = sync_data(fd_.get());
  if (error) throw_os_error("write", path_, error.value());
}

void HeaderFile::set_state(OverlayState state) {
  header_.state = state;
  header_.boot = boot_id();
  store();
}

}  // namespace reprise::blk
