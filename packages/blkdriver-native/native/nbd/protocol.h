#pragma once

#include <cstdint>

// The numbers of the NBD protocol, as its specification names them
// (https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md).
namespace reprise::blk::nbd {

inline constexpr std::uint64_t kMagicNbd = 0x4e42444d41474943;     // "NBDMAGIC"
inline constexpr std::uint64_t kMagicOption = 0x49484156454F5054;  // "IHAVEOPT"
inline constexpr std::uint64_t kMagicOptionReply = 0x0003e889045565a9;
inline constexpr std::uint32_t kMagicRequest = 0x25609513;
inline constexpr std::uint32_t kMagicSimpleReply = 0x67446698;
inline constexpr std::uint32_t kMagicStructuredReply = 0x668e33ef;

inline constexpr std::uint16_t kFlagFixedNewstyle = 1 << 0;
inline constexpr std::uint16_t kFlagNoZeroes = 1 << 1;

enum Option : std::uint32_t {
  kOptExportName = 1,
  kOptAbort = 2,
  kOptList = 3,
  kOptStartTls = 5,
  kOptInfo = 6,
  kOptGo = 7,
  kOptStructuredReply = 8,
  kOptListMetaContext = 9,
  kOptSetMetaContext = 10,
};

enum OptionReply : std::uint32_t {
  kRepAck = 1,
  kRepServer = 2,
  kRepInfo = 3,
  kRepMetaContext = 4,
  kRepErrUnsup = 0x80000001,
  kRepErrPolicy = 0x80000002,
  kRepErrInvalid = 0x80000003,
  kRepErrUnknown = 0x80000006,
  kRepErrTooBig = 0x80000009,
};

enum InfoType : std::uint16_t {
  kInfoExport = 0,
  kInfoName = 1,
  kInfoBlockSize = 3,
};

inline constexpr std::uint16_t kHasFlags = 1 << 0;
inline constexpr std::uint16_t kSendFlush = 1 << 2;
inline constexpr std::uint16_t kSendFua = 1 << 3;
inline constexpr std::uint16_t kSendTrim = 1 << 5;
inline constexpr std::uint16_t kSendWriteZeroes = 1 << 6;
inline constexpr std::uint16_t kSendDf = 1 << 7;
inline constexpr std::uint16_t kCanMultiConn = 1 << 8;
inline constexpr std::uint16_t kSendCache = 1 << 10;
inline constexpr std::uint16_t kSendFastZero = 1 << 11;

enum class Command : std::uint16_t {
  kRead = 0,
  kWrite = 1,
  kDisconnect = 2,
  kFlush = 3,
  kTrim = 4,
  kCache = 5,
  kWriteZeroes = 6,
  kBlockStatus = 7,
};

inline constexpr std::uint16_t kCmdFlagFua = 1 << 0;
inline constexpr std::uint16_t kCmdFlagNoHole = 1 << 1;
inline constexpr std::uint16_t kCmdFlagDf = 1 << 2;
inline constexpr std::uint16_t kCmdFlagReqOne = 1 << 3;
inline constexpr std::uint16_t kCmdFlagFastZero = 1 << 4;

inline constexpr std::uint16_t kChunkDone = 1 << 0;
enum ChunkType : std::uint16_t {
  kChunkNone = 0,
  kChunkOffsetData = 1,
  kChunkBlockStatus = 5,
  kChunkError = 0x8001,
};

enum WireError : std::uint32_t {
  kWireOk = 0,
  kWirePerm = 1,
  kWireIo = 5,
  kWireNoMemory = 12,
  kWireInvalid = 22,
  kWireNoSpace = 28,
  kWireOverflow = 75,
  kWireNotSupported = 95,
  kWireShutdown = 108,
};

/// The longest payload of a READ or WRITE, and what block size info says.
inline constexpr std::uint32_t kMostPayloadBytes = 32 << 20;
inline constexpr std::uint32_t kMinimumBlockBytes = 1;
inline constexpr std::uint32_t kPreferredBlockBytes = 4096;

}  // namespace reprise::blk::nbd
