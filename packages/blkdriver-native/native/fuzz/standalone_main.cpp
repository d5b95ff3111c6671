// Runs a fuzz target without libFuzzer: the corpus, then mutations of it from a
// fixed seed, for a second (sixty with REPRISE_LONG=1).
//   fuzz_NAME CORPUS_DIRECTORY
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;

class Mutator {
 public:
  Input mutate(Input input) {
    for (std::uint64_t edits = 1 + next() % 4; edits > 0; --edits) edit(input);
    return input;
  }
  std::uint64_t next() {
    std::uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    return z ^ (z >> 27);
  }

 private:
  void edit(Input& input) {
    if (input.empty()) return input.push_back(static_cast<std::uint8_t>(next()));
    const std::size_t at = next() % input.size();
    const auto here = input.begin() + static_cast<std::ptrdiff_t>(at);
    switch (next() % 5) {
      case 0:
        input[at] ^= static_cast<std::uint8_t>(1 << next() % 8);
        return;
      case 1:
        input[at] = static_cast<std::uint8_t>(next());
        return;
      case 2:
        input.insert(here, static_cast<std::uint8_t>(next()));
        return;
      case 3:
        input.resize(at + 1);
        return;
      default: {
        const Input copy(here, input.end());
        input.insert(input.end(), copy.begin(), copy.end());
        if (input.size() > 1 << 16) input.resize(1 << 16);
      }
    }
  }

  std::uint64_t state_ = 1;
};

}  // namespace

int main(int argc, char** argv) {
  using Clock = std::chrono::steady_clock;
  std::vector<Input> corpus;
  if (argc > 1) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[1])) {
      std::ifstream file(entry.path(), std::ios::binary);
      corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
    }
  }
  if (corpus.empty()) {
    std::fprintf(stderr, "There is no corpus. Give its directory.\n");
    return 2;
  }
  for (const Input& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  const char* const wanted = std::getenv("REPRISE_LONG");
  const bool long_form = wanted != nullptr && std::string_view(wanted) == "1";
  const auto end = Clock::now() + std::chrono::seconds(long_form ? 60 : 1);
  Mutator mutator;
  std::uint64_t runs = 0;
  while (Clock::now() < end) {
    const Input input = mutator.mutate(corpus[mutator.next() % corpus.size()]);
    LLVMFuzzerTestOneInput(input.data(), input.size());
    ++runs;
  }
  std::printf("%zu inputs of the corpus, %llu mutations\n", corpus.size(),
              static_cast<unsigned long long>(runs));
  return 0;
}
