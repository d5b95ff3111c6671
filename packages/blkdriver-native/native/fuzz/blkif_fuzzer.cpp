// A ring and granted frames with any content: whatever reaches the device lies
// inside it, what is answered is what was asked, and a round ends.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <vector>

#include "xen/ring_server.h"

using namespace reprise::blk;
using namespace reprise::blk::xen;

namespace {

constexpr std::uint64_t kDiskBytes = (1 << 20) + 512;
constexpr std::size_t kFrames = 4;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Takes only what a server may send.
class StrictDevice final : public BlockDevice {
 public:
  explicit StrictDevice(bool read_only) : read_only_(read_only) {}
  std::uint64_t size_bytes() const noexcept override { return kDiskBytes; }
  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override {
    inside(offset, out.size());
    if (wait == Wait::kNever && (offset & 512) != 0) {
      return std::make_error_code(std::errc::resource_unavailable_try_again);
    }
    std::memset(out.data(), 0x5a, out.size());
    return {};
  }
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override {
    inside(offset, data.size());
    require(!read_only_);
    return {};
  }
  std::error_code flush() override { return {}; }
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override {
    inside(offset, length);
    require(!read_only_);
    return {};
  }
  std::error_code zero(std::uint64_t, std::uint64_t, ZeroOptions) override { std::abort(); }
  std::error_code cache(std::uint64_t offset, std::uint64_t length) override {
    inside(offset, length);
    return {};
  }
  std::error_code status(StatusKind, std::uint64_t, std::uint64_t, const ExtentVisitor&) override {
    std::abort();
  }

 private:
  static void inside(std::uint64_t offset, std::uint64_t length) {
    require(length > 0 && offset < kDiskBytes && length <= kDiskBytes - offset);
    require(offset % kSectorBytes == 0 && length % kSectorBytes == 0);
  }
  const bool read_only_;
};

/// Frames that change under whoever reads them twice.
class HostileFrames final : public GuestMemory {
 public:
  explicit HostileFrames(std::span<const std::uint8_t> content) {
    std::memcpy(frames_.data(), content.data(), std::min(content.size(), frames_.size()));
  }
  std::error_code copy_in(std::span<const FramePart> parts, std::span<std::byte> out) override {
    std::size_t total = 0;
    for (const FramePart& part : parts) {
      const auto frame = frame_of(part);
      if (frame.empty()) return std::make_error_code(std::errc::bad_address);
      std::memcpy(out.subspan(total).data(), frame.data(), frame.size());
      for (std::byte& byte : frame) byte ^= std::byte{0xff};
      total += frame.size();
    }
    require(total == out.size());
    return {};
  }
  std::error_code copy_out(std::span<const FramePart> parts,
                           std::span<const std::byte> in) override {
    std::size_t total = 0;
    for (const FramePart& part : parts) {
      const auto frame = frame_of(part);
      if (frame.empty()) return std::make_error_code(std::errc::bad_address);
      std::memcpy(frame.data(), in.subspan(total).data(), frame.size());
      total += frame.size();
    }
    require(total == in.size());
    return {};
  }

 private:
  std::span<std::byte> frame_of(const FramePart& part) {
    require(part.length > 0 && part.offset + part.length <= kFrameBytes);
    if (part.gref >= kFrames) return {};
    return std::span(frames_).subspan(part.gref * kFrameBytes + part.offset, part.length);
  }
  std::vector<std::byte> frames_ = std::vector<std::byte>(kFrames * kFrameBytes);
};

/// The journal's file, in memory, removed when the fuzzer ends.
struct Journal {
  Journal() : path("/dev/shm/blkif-fuzz-" + std::to_string(::getpid())), journal(path) {}
  ~Journal() { std::filesystem::remove(path); }
  std::filesystem::path path;
  ResponseJournal journal;
};

}  // namespace

/// Input: flags, most indirect segments, request producer (u16), response producer
/// (u16), then the slots of the ring, then frames.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kHeader = 6;
  if (size < kHeader || size > 32 * 1024) return 0;
  static Journal file;
  const bool read_only = (data[0] & 1) != 0;
  const Abi& abi = (data[0] & 2) != 0 ? kAbi32 : kAbi64;
  const std::size_t ring_bytes = kFrameBytes << ((data[0] >> 2) & 1);
  std::uint16_t produced = 0;
  std::uint16_t published = 0;
  std::memcpy(&produced, data + 2, 2);
  std::memcpy(&published, data + 4, 2);
  auto rest = std::span(data, size).subspan(kHeader);

  alignas(8) static std::byte shared[kFrameBytes * 2];
  std::memset(shared, 0, sizeof shared);
  std::memcpy(shared + kRequestProducer, &produced, 2);
  std::memcpy(shared + kResponseProducer, &published, 2);
  const std::size_t in_ring = std::min(rest.size(), ring_bytes - kRingHeaderBytes);
  std::memcpy(shared + kRingHeaderBytes, rest.data(), in_ring);
  StrictDevice device(read_only);
  // Frames have what follows, or else the same bytes again.
  HostileFrames frames(rest.size() > in_ring ? rest.subspan(in_ring) : rest);
  RequestExecutor executor(device, frames,
                           {.sectors = kDiskBytes / kSectorBytes,
                            .read_only = read_only,
                            .max_indirect_segments = data[1]});
  const std::span<std::byte> memory(shared, ring_bytes);
  const std::uint32_t start = BackRing::published(memory);
  BackRing ring(memory, abi, start);
  const std::uint32_t capacity = ring.capacity();
  RingServer server(ring, executor, file.journal, [] {});
  if ((data[0] & 8) != 0) server.finish({.id = 1, .op = 0, .status = Status::kOkay});

  const std::atomic<bool> never{false};
  std::uint32_t rounds = 0;
  auto outcome = RingServer::Outcome::kMore;
  while (outcome == RingServer::Outcome::kMore) {
    outcome = server.serve(never);
    require(++rounds <= capacity + 2);
  }
  const std::uint32_t answered = BackRing::published(memory) - start;
  require(answered <= capacity && executor.counts().requests <= answered);
  require(outcome != RingServer::Outcome::kIdle ||
          answered == static_cast<std::uint32_t>(produced) - start);
  return 0;
}
