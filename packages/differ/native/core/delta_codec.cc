#include "delta_codec.h"

#include <algorithm>

#include "fault.h"

namespace reprise::differ {
namespace {

constexpr int kWindowLog =
    21;  // covers the carried window, the references and the pages of a frame

void pushWindow(Bytes& window, std::span<const std::uint8_t> pages) {
  window.insert(window.end(), pages.begin(), pages.end());
  constexpr std::size_t kLimit = kCarriedWindowPages * kPageSize;
  if (window.size() > kLimit) {
    window.erase(window.begin(), window.end() - static_cast<std::ptrdiff_t>(kLimit));
  }
}

Bytes prefixOf(const Bytes& window, std::span<const std::uint8_t> references) {
  Bytes prefix(window);
  prefix.insert(prefix.end(), references.begin(), references.end());
  return prefix;
}

void check(std::size_t result) {
  if (ZSTD_isError(result) != 0) {
    throw Fault("COMPRESSION_FAILED", std::string("zstd: ") + ZSTD_getErrorName(result) +
                                          ". Free some memory and try again.");
  }
}

}  // namespace

DeltaEncoder::DeltaEncoder(int level) : context_(ZSTD_createCCtx(), &ZSTD_freeCCtx) {
  setLevel(level);
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_windowLog, kWindowLog));
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_contentSizeFlag, 0));
}

void DeltaEncoder::setLevel(int level) {
  isMixed_ = level >= kMixedLevel;
  if (isMixed_) {
    if (!mixed_.has_value()) mixed_.emplace();
    return;
  }
  check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, std::max(level, 1)));
}

Bytes DeltaEncoder::encode(std::span<const CarryStep> steps,
                           std::span<const std::uint8_t> references,
                           std::span<const std::uint8_t> pages) {
  if (isMixed_) {
    RangeEncoder coder;
    for (const CarryStep step : steps) {
      const auto reference = references.first<kPageSize>();
      references = references.subspan(kPageSize);
      if (step == CarryStep::learn) {
        mixed_->learn(reference);
      } else {
        mixed_->encode(coder, reference, pages.first<kPageSize>());
        pages = pages.subspan(kPageSize);
      }
    }
    return coder.finish();
  }
  const Bytes prefix = prefixOf(window_, references);
  check(ZSTD_CCtx_refPrefix(context_.get(), prefix.data(), prefix.size()));
  Bytes out(ZSTD_compressBound(pages.size()));
  const std::size_t size =
      ZSTD_compress2(context_.get(), out.data(), out.size(), pages.data(), pages.size());
  check(size);
  out.resize(size);
  pushWindow(window_, pages);
  return out;
}

DeltaDecoder::DeltaDecoder() : context_(ZSTD_createDCtx(), &ZSTD_freeDCtx) {
  check(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kWindowLog));
}

void DeltaDecoder::reset() {
  window_.clear();
  mixed_.reset();
}

Bytes DeltaDecoder::decode(std::span<const std::uint8_t> payload, std::span<const CarryStep> steps,
                           std::span<const std::uint8_t> references, bool isMixed) {
  if (isMixed) {
    if (!mixed_.has_value()) mixed_.emplace();
    RangeDecoder coder(payload);
    Bytes pages(static_cast<std::size_t>(std::ranges::count(steps, CarryStep::page)) * kPageSize);
    std::span<std::uint8_t> rest(pages);
    for (const CarryStep step : steps) {
      const auto reference = references.first<kPageSize>();
      references = references.subspan(kPageSize);
      if (step == CarryStep::learn) {
        mixed_->learn(reference);
      } else {
        mixed_->decode(coder, reference, rest.first<kPageSize>());
        rest = rest.subspan(kPageSize);
      }
    }
    return pages;
  }
  const Bytes prefix = prefixOf(window_, references);
  check(ZSTD_DCtx_refPrefix(context_.get(), prefix.data(), prefix.size()));
  Bytes pages(references.size());
  const std::size_t size = ZSTD_decompressDCtx(context_.get(), pages.data(), pages.size(),
                                               payload.data(), payload.size());
  if (ZSTD_isError(size) != 0 || size != pages.size()) {
    throw Fault("FRAME_CORRUPT",
                "A residue frame's pages do not decompress. Ask the source for the residue again.");
  }
  pushWindow(window_, pages);
  return pages;
}

}  // namespace reprise::differ
