// Throws hostile bytes at everything that parses what a peer or a disk hands us: residue frames
// (with their checksum and header made good, so that the fuzzer reaches the coders), questions,
// answers, chunks, blobs and the content index. Faults are expected; crashes and writes outside are
// not.
#include <fcntl.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include <cstdlib>
#include <string>

#include "../core/blob.h"
#include "../core/chunk_frame.h"
#include "../core/content_index.h"
#include "../core/questions.h"
#include "../core/residue_decoder.h"

using namespace reprise::differ;

namespace {

constexpr std::uint64_t kPages = 32;

struct Fixture {
  std::string home;
  std::uint8_t key[kKeySize] = {1, 2, 3};
  Fixture() {
    char path[] = "/tmp/fuzz-residue-XXXXXX";
    home = mkdtemp(path);
    Bytes content(kPages * kPageSize);
    for (std::size_t i = 0; i < content.size(); ++i) {
      content[i] = static_cast<std::uint8_t>(i * 31 + i / 4096);
    }
    for (const char* name : {"/ram", "/disk", "/out-ram"}) {
      const FileDescriptor file(home + name, O_RDWR | O_CREAT);
      file.writeAt(content, 0);
    }
  }
  ~Fixture() {
    for (const char* name : {"/ram", "/disk", "/out-ram", "/out-disk", "/index", "/chunk"}) {
      unlink((home + name).c_str());
    }
    rmdir(home.c_str());
  }
};

void sealAndApply(ResidueDecoder& decoder, std::span<const std::uint8_t> input, unsigned flags,
                  std::uint64_t sequence) {
  // Splits the input in two: instructions, then payload.
  const std::size_t cut = input.empty() ? 0 : input[0] % (input.size() + 1);
  Bytes frame{kFrameVersion, static_cast<std::uint8_t>(flags & kKnownFlags)};
  putVarint(frame, sequence);
  putVarint(frame, cut);
  putVarint(frame, input.size() - cut);
  frame.insert(frame.end(), input.begin(), input.end());
  putLittleEndian(frame, static_cast<std::uint32_t>(XXH3_64bits(frame.data(), frame.size())));
  decoder.apply(frame);
}

template <typename Body>
void survives(Body body) {
  try {
    body();
  } catch (const Fault&) {
    // a coded refusal is the right answer to nonsense
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  if (size < 2) return 0;
  const std::span input(data + 2, size - 2);
  const Fingerprinter fingerprinter(FingerprintAlgorithm::xxh3, std::span(fixture.key));
  switch (data[0] % 6) {
    case 0:
    case 1: {
      const Image ram(describeFile(fixture.home + "/ram"));
      const Image disk(describeFile(fixture.home + "/disk"));
      const StateImages base{ram, disk};
      ResidueOutput outRam(fixture.home + "/out-ram", ram.sizeBytes(), false);
      ResidueOutput outDisk(fixture.home + "/out-disk", disk.sizeBytes(), true);
      ResidueDecoder decoder(base, &base, {0, kNowhere, 5, 9}, outRam, outDisk);
      survives([&] {
        if (data[0] % 6 == 0) {
          decoder.apply(input);
          return;
        }
        sealAndApply(decoder, input.first(input.size() / 2), data[1] | kFlagStart, 0);
        sealAndApply(decoder, input.subspan(input.size() / 2), data[1] & ~1u, 1);
      });
      break;
    }
    case 2:
      survives([&] {
        // The header made good: half of the inputs are the second round's.
        const bool second = (data[1] & 1) != 0;
        Bytes message{2, 1, static_cast<std::uint8_t>(1 + data[1] % 64),
                      static_cast<std::uint8_t>(second ? 1 : 0)};
        putLittleEndian(message, static_cast<std::uint32_t>(fingerprinter.keyCheck()));
        message.insert(message.end(), input.begin(), input.end());
        QuestionLimits limits{{kPages, kPages}, std::nullopt};
        if (second) limits.open = data[1] / 2;
        const Questions questions(message, fingerprinter, limits);
        if (questions.count() > 2 * kPages) abort();
        if (questions.selected().size() > data[1] / 2) abort();
      });
      survives([&] { Questions questions(input, fingerprinter, {{kPages, kPages}, {}}); });
      survives([&] { decodeAnswers(input, std::vector<std::uint64_t>(data[1])); });
      break;
    case 3:
      survives([&] { decompressBlob(input, input.first(input.size() / 2), 1 << 16); });
      break;
    case 4:
      survives([&] { applyChunk(input, fixture.home + "/chunk", kPages * kPageSize); });
      break;
    case 5: {
      const std::string path = fixture.home + "/index";
      unlink(path.c_str());
      const auto identity = TableIdentity::of(fingerprinter, kPages, kPages);
      writeTable<IndexEntry>(path, {{1, 2}, {3, 4}, {~0ull, 6}}, identity);
      {
        const FileDescriptor file(path, O_RDWR);
        const std::uint64_t at = data[1] % file.sizeBytes();
        file.writeAt(input.first(std::min<std::size_t>(input.size(), file.sizeBytes() - at)), at);
      }
      survives([&] {
        const SortedTable<IndexEntry> index(path, identity);
        for (const std::uint64_t probe : {std::uint64_t{1}, std::uint64_t{3}, ~std::uint64_t{0}}) {
          index.find(probe);
        }
      });
      break;
    }
  }
  return 0;
}
