#pragma once

#include <cstddef>
#include <cstdint>

// Xen's block interface as it lies in memory, after xen/include/public/io/blkif.h
// and ring.h. Written down once more because the public headers describe the ABI
// of whoever includes them, while a backend must serve guests of either width.
namespace reprise::blk::xen {

inline constexpr std::size_t kFrameBytes = 4096;  ///< what one grant reference shares
inline constexpr std::uint64_t kSectorBytes = 512;
inline constexpr unsigned kSectorsPerFrame = kFrameBytes / kSectorBytes;

enum class Op : std::uint8_t {
  kRead = 0,
  kWrite = 1,
  kWriteBarrier = 2,
  kFlush = 3,
  kDiscard = 5,
  kIndirect = 6,
};

enum class Status : std::int16_t { kOkay = 0, kError = -1, kUnsupported = -2 };

inline constexpr std::uint8_t kDiscardSecure = 1;

inline constexpr std::size_t kMostDirectSegments = 11;
inline constexpr std::size_t kMostIndirectFrames = 8;
inline constexpr std::size_t kSegmentBytes = 8;
inline constexpr std::size_t kSegmentsPerFrame = kFrameBytes / kSegmentBytes;
/// More would not help: 256 segments are 1 MiB, and a request's data is copied whole.
inline constexpr std::uint16_t kMostIndirectSegments = 256;
/// Sixteen pages, 512 requests: the largest ring that Linux' frontend asks for.
inline constexpr unsigned kMostRingPageOrder = 4;

/// Where the fields stand. The first byte of a slot is the operation, everywhere.
///
///     64-bit   op n handle ---- id------- sector--- segments 11 x (gref first last --)
///     32-bit   op n handle id------- sector--- segments ...
///     discard  op flag handle  id  sector  sectors (u64)
///     indirect op inner n(u16) id  sector  handle --  grefs 8 x u32
struct Abi {
  std::size_t slot_bytes;
  std::size_t id;
  std::size_t sector;
  std::size_t segments;  ///< also discard's number of sectors
  std::size_t indirect_grefs;
};
inline constexpr Abi kAbi64{112, 8, 16, 24, 28};
inline constexpr Abi kAbi32{108, 4, 12, 20, 24};

/// A response stands at the start of a slot: id u64, operation u8, --, status i16.

/// The shared indexes before the slots; they count up and wrap at 2^32.
inline constexpr std::size_t kRequestProducer = 0;
inline constexpr std::size_t kRequestEvent = 4;
inline constexpr std::size_t kResponseProducer = 8;
inline constexpr std::size_t kResponseEvent = 12;
inline constexpr std::size_t kRingHeaderBytes = 64;

}  // namespace reprise::blk::xen
