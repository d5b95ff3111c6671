#include "merkle.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "fault.h"

namespace reprise::differ {
namespace {

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {}

  void begin(std::uint8_t domain) {
    check(EVP_DigestInit_ex(context_.get(), algorithm_, nullptr));
    update({&domain, 1});
  }
  void update(std::span<const std::uint8_t> data) {
    check(EVP_DigestUpdate(context_.get(), data.data(), data.size()));
  }
  void finish(std::uint8_t* out) {
    unsigned length = 0;
    check(EVP_DigestFinal_ex(context_.get(), out, &length));
  }

 private:
  static void check(int done) {
    if (done != 1) {
      throw Fault("DIGEST_UNAVAILABLE",
                  "OpenSSL failed to compute SHA-256. Check its installation.");
    }
  }
  const EVP_MD* algorithm_ = EVP_sha256();
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

constexpr std::uint8_t kLeafDomain = 0;
constexpr std::uint8_t kNodeDomain = 1;
constexpr std::size_t kDigestSize = 32;
constexpr std::uint64_t kPagesPerLeaf = kLeafSize / kPageSize;
constexpr std::uint64_t kLeavesPerWindow = 64;  // 4 MiB mapped at a time

}  // namespace

std::vector<std::uint8_t> hashLeaves(const Image& image, std::uint64_t first, std::uint64_t count) {
  Sha256 sha;
  alignas(64) std::uint8_t scratch[kPageSize];
  std::vector<std::uint8_t> digests(count * kDigestSize);
  Digest zeroLeaf{};
  sha.begin(kLeafDomain);
  for (std::uint64_t i = 0; i < kPagesPerLeaf; ++i) sha.update(Page(kZeroPage));
  sha.finish(zeroLeaf.data());
  for (std::uint64_t leaf = first; leaf < first + count; ++leaf) {
    std::uint8_t* out = digests.data() + (leaf - first) * kDigestSize;
    const std::uint64_t page = leaf * kPagesPerLeaf;
    const std::uint64_t window = leaf % kLeavesPerWindow;
    if (window == 0 || leaf == first)
      image.populate(page, (kLeavesPerWindow - window) * kPagesPerLeaf);
    if (page >= image.pageCount() || image.nextHeld(page) >= page + kPagesPerLeaf) {
      std::copy(zeroLeaf.begin(), zeroLeaf.end(), out);
    } else {
      sha.begin(kLeafDomain);
      for (std::uint64_t i = 0; i < kPagesPerLeaf; ++i) {
        sha.update({image.page(page + i, MutablePage(scratch)), kPageSize});
      }
      sha.finish(out);
    }
    if (window + 1 == kLeavesPerWindow) {
      image.release((leaf - window) * kPagesPerLeaf, kLeavesPerWindow * kPagesPerLeaf);
    }
  }
  return digests;
}

std::vector<std::uint8_t> merkleParents(std::span<const std::uint8_t> level) {
  if (level.size() % kDigestSize != 0) {
    throw Fault("LEAVES_INVALID",
                "A list of digests is not a whole number of 32 B. Hash the image again.");
  }
  Sha256 sha;
  const std::size_t count = level.size() / kDigestSize;
  std::vector<std::uint8_t> parents((count + 1) / 2 * kDigestSize);
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    sha.begin(kNodeDomain);
    sha.update(level.subspan(i * kDigestSize, 2 * kDigestSize));
    sha.finish(parents.data() + i / 2 * kDigestSize);
  }
  if (count % 2 == 1) {
    std::copy_n(level.end() - kDigestSize, kDigestSize, parents.end() - kDigestSize);
  }
  return parents;
}

Digest merkleRoot(std::span<const std::uint8_t> leaves) {
  Digest root{};
  if (leaves.empty()) {
    Sha256 sha;
    sha.begin(kLeafDomain);
    sha.finish(root.data());
    return root;
  }
  std::vector<std::uint8_t> level(leaves.begin(), leaves.end());
  do {
    if (level.size() == kDigestSize) break;
    level = merkleParents(level);
  } while (true);
  std::copy(level.begin(), level.end(), root.begin());
  return root;
}

}  // namespace reprise::differ
