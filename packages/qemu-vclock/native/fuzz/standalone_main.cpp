// SPDX-License-Identifier: GPL-2.0-or-later
// Runs the fuzz target without libFuzzer: the corpus, then mutations of it from a fixed seed, for
// two seconds (sixty with REPRISE_LONG=1).
//   fuzz_message CORPUS_DIRECTORY
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string_view>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

using Input = std::vector<std::uint8_t>;
constexpr std::size_t kMostInputBytes = 1U << 16;

/** Overwrites some bytes, and sometimes appends a part of another input. */
Input mutate(Input input, const Input& other, std::mt19937& random) {
  for (auto edits = 1 + random() % 4; edits > 0 && !input.empty(); edits--) {
    input[random() % input.size()] = static_cast<std::uint8_t>(random());
  }
  if (random() % 3 == 0) input.insert(input.end(), other.begin(), other.end());
  if (random() % 5 == 0) input.resize(random() % (input.size() + 1));
  input.resize(std::min(input.size(), kMostInputBytes));
  return input;
}

std::vector<Input> read_corpus(const char* directory) {
  std::vector<Input> corpus;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::ifstream file(entry.path(), std::ios::binary);
    corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return corpus;
}

}  // namespace

int main(int argc, char** argv) {
  auto corpus = argc > 1 ? read_corpus(argv[1]) : std::vector<Input>();
  if (corpus.empty()) {
    std::fprintf(stderr, "There is no corpus. Give its directory.\n");
    return 2;
  }
  for (const auto& input : corpus) LLVMFuzzerTestOneInput(input.data(), input.size());
  const char* wanted = std::getenv("REPRISE_LONG");
  const bool is_long = wanted != nullptr && std::string_view(wanted) == "1";
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(is_long ? 60 : 2);
  std::mt19937 random(1);
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < 1000; i++) {
      const auto& one = corpus[random() % corpus.size()];
      const auto input = mutate(one, corpus[random() % corpus.size()], random);
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
  }
  return 0;
}
