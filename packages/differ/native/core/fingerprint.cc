#include "fingerprint.h"

#include <openssl/evp.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>
#if defined(__x86_64__)
#include <immintrin.h>
#include <xxh_x86dispatch.h>  // AVX2 or AVX-512 where the processor has them
#endif

#include "fault.h"

namespace reprise::differ {

namespace {

#if defined(__x86_64__)
// XXH3's AVX code may leave the upper halves of its registers in use; code for SSE that comes after
// it then waits for them: indexing takes half as long again.
__attribute__((target("avx"))) void clearUpperHalves() {
  _mm256_zeroupper();
}

void leaveAvx() {
  static const bool hasAvx = __builtin_cpu_supports("avx") != 0;
  if (hasAvx) clearUpperHalves();
}
#else
void leaveAvx() {}
#endif

}  // namespace

static_assert(sizeof(std::array<std::uint8_t, 192>) == XXH3_SECRET_DEFAULT_SIZE);

struct Fingerprinter::Sha1 {
  const EVP_MD* digest = EVP_sha1();
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~Sha1() { EVP_MD_CTX_free(context); }
};

Fingerprinter::Fingerprinter(FingerprintAlgorithm algorithm,
                             std::span<const std::uint8_t, kKeySize> key)
    : algorithm_(algorithm) {
  std::copy(key.begin(), key.end(), key_.begin());
  XXH3_generateSecret(secret_.data(), secret_.size(), key_.data(), key_.size());
  if (algorithm == FingerprintAlgorithm::sha1) sha1_ = std::make_unique<Sha1>();
}

Fingerprinter::~Fingerprinter() {
  OPENSSL_cleanse(key_.data(), key_.size());
  OPENSSL_cleanse(secret_.data(), secret_.size());
}

Fingerprint Fingerprinter::of(std::span<const std::uint8_t> content) const {
  if (algorithm_ == FingerprintAlgorithm::xxh3) {
    const XXH128_hash_t hash =
        XXH3_128bits_withSecret(content.data(), content.size(), secret_.data(), secret_.size());
    leaveAvx();
    return {hash.low64, hash.high64};
  }
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  const bool done = EVP_DigestInit_ex(sha1_->context, sha1_->digest, nullptr) == 1 &&
                    EVP_DigestUpdate(sha1_->context, key_.data(), key_.size()) == 1 &&
                    EVP_DigestUpdate(sha1_->context, content.data(), content.size()) == 1 &&
                    EVP_DigestFinal_ex(sha1_->context, out.data(), &length) == 1;
  if (!done) {
    throw Fault("DIGEST_UNAVAILABLE",
                "This OpenSSL refuses SHA-1. Choose the xxh3 fingerprint, or allow SHA-1.");
  }
  Fingerprint result;
  std::memcpy(&result.low, out.data(), 8);
  std::memcpy(&result.high, out.data() + 8, 8);
  return result;
}

std::uint64_t Fingerprinter::keyCheck() const {
  static constexpr std::uint8_t kLabel[] =
      "reprise fingerprint key check, which must differ per key"
      " and so is hashed like any other content would be, long"
      " enough for the keyed path of the hash: more than 240 B"
      ", since shorter inputs take a path that mixes less of t"
      "he secret into what comes out.";
  return of({kLabel, sizeof kLabel}).high;
}

}  // namespace reprise::differ
