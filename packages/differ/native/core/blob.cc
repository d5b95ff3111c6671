#include "blob.h"

#include <zstd.h>

#include <algorithm>
#include <bit>
#include <memory>

#include "fault.h"

namespace reprise::differ {
namespace {

// The window must reach from the blob's end back to the reference's start.
int windowLogFor(std::size_t bytes) {
  return std::clamp(static_cast<int>(std::bit_width(bytes)), 10, 31);
}

void check(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Fault("COMPRESSION_FAILED", std::string("zstd: ") + ZSTD_getErrorName(result) +
                                          ". Free some memory and try again.");
  }
}

}  // namespace

Bytes compressBlob(std::span<const std::uint8_t> data, int level,
                   std::span<const std::uint8_t> reference) {
  if (data.size() > kMaxBlobBytes || reference.size() > kMaxBlobBytes) {
    throw Fault("BLOB_TOO_LARGE", "A blob may have 1 GiB at most. Send it as pages instead.");
  }
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                     &ZSTD_freeCCtx);
  check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level));
  if (!reference.empty()) {
    check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog,
                                 windowLogFor(data.size() + reference.size())));
    check(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_enableLongDistanceMatching, 1));
    check(ZSTD_CCtx_refPrefix(context.get(), reference.data(), reference.size()));
  }
  Bytes out(ZSTD_compressBound(data.size()));
  const std::size_t size =
      ZSTD_compress2(context.get(), out.data(), out.size(), data.data(), data.size());
  check(size);
  out.resize(size);
  return out;
}

Bytes decompressBlob(std::span<const std::uint8_t> data, std::span<const std::uint8_t> reference,
                     std::size_t maxBytes) {
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  check(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax,
                               windowLogFor(maxBytes + reference.size())));
  if (!reference.empty()) {
    check(ZSTD_DCtx_refPrefix(context.get(), reference.data(), reference.size()));
  }
  const auto tooLarge = [&] {
    return Fault("BLOB_TOO_LARGE", "A compressed blob holds more than the " +
                                       std::to_string(maxBytes) +
                                       " B allowed. Raise the limit if the peer is trusted.");
  };
  const unsigned long long declared = ZSTD_getFrameContentSize(data.data(), data.size());
  if (declared != ZSTD_CONTENTSIZE_UNKNOWN && declared != ZSTD_CONTENTSIZE_ERROR &&
      declared > maxBytes) {
    throw tooLarge();
  }
  // Grows as content really comes: a few bytes cannot make us reserve the limit.
  Bytes out;
  ZSTD_inBuffer in{data.data(), data.size(), 0};
  while (true) {
    const std::size_t had = out.size();
    out.resize(std::min(maxBytes + 1, had + std::max<std::size_t>(had, 1 << 16)));
    ZSTD_outBuffer to{out.data() + had, out.size() - had, 0};
    const std::size_t result = ZSTD_decompressStream(context.get(), &to, &in);
    out.resize(had + to.pos);
    if (out.size() > maxBytes) throw tooLarge();
    if (ZSTD_isError(result) != 0 || (result != 0 && to.pos < to.size && in.pos == in.size)) {
      throw Fault(
          "BLOB_CORRUPT",
          "A blob does not decompress against its reference. Ask the peer to send it again.");
    }
    if (result == 0) break;
  }
  if (in.pos != in.size) {
    throw Fault("BLOB_CORRUPT", "A blob has bytes after its end. Ask the peer to send it again.");
  }
  return out;
}

}  // namespace reprise::differ
