// The stateless kernels as JavaScript functions. All are synchronous: worker threads call them, a
// batch at a time, and the batches are small enough for cancellation between them.
#include "kernels.h"

#include "../core/chunk_frame.h"
#include "../core/compare.h"
#include "../core/content_index.h"
#include "../core/measure.h"
#include "../core/merkle.h"
#include "../core/questions.h"
#include "../core/similarity.h"
#include "marshal.h"
#include "open_index.h"

namespace reprise::differ::binding {
namespace {

using Info = const Napi::CallbackInfo&;

Napi::Value describeFileCall(Info info) {
  const ImageSpec spec = describeFile(toString(info[0]));
  std::vector<std::uint64_t> words;
  for (const Extent& e : spec.extents) {
    words.insert(words.end(), {e.logical, e.length, e.file, e.fileOffset});
  }
  auto out = Napi::Object::New(info.Env());
  out.Set("sizeBytes", Napi::BigInt::New(info.Env(), spec.sizeBytes));
  out.Set("extents", fromWords(info.Env(), words));
  return out;
}

Napi::Value comparePagesCall(Info info) {
  const Image a(toImageSpec(info[0]));
  const Image b(toImageSpec(info[1]));
  return fromWords(info.Env(), comparePages(a, b, toUint64(info[2]), toUint64(info[3])));
}

Napi::Value compareRunsCall(Info info) {
  const Image a(toImageSpec(info[0]));
  const Image b(toImageSpec(info[1]));
  return fromWords(info.Env(), compareRuns(a, b, toWords(info[2])));
}

Napi::Value hashLeavesCall(Info info) {
  const Image image(toImageSpec(info[0]));
  return fromBytes(info.Env(), hashLeaves(image, toUint64(info[1]), toUint64(info[2])));
}

Napi::Value merkleParentsCall(Info info) {
  return fromBytes(info.Env(), merkleParents(toBytes(info[0])));
}

Napi::Value merkleRootCall(Info info) {
  const auto leaves = toBytes(info[0]);
  if (leaves.size() % 32 != 0) return fromBytes(info.Env(), merkleParents(leaves));  // throws
  return fromBytes(info.Env(), merkleRoot(leaves));
}

Napi::Value indexPagesCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const Image image(toImageSpec(info[1]));
  const auto entries = indexPages(image, static_cast<Space>(toUint64(info[2]) & 1),
                                  toUint64(info[3]), toUint64(info[4]), *fingerprinter);
  return fromBytes(info.Env(), {reinterpret_cast<const std::uint8_t*>(entries.data()),
                                entries.size() * sizeof(IndexEntry)});
}

Napi::Value sketchPagesCall(Info info) {
  const Image image(toImageSpec(info[0]));
  const auto features = sketchPages(image, static_cast<Space>(toUint64(info[1]) & 1),
                                    toUint64(info[2]), toUint64(info[3]));
  return fromBytes(info.Env(), {reinterpret_cast<const std::uint8_t*>(features.data()),
                                features.size() * sizeof(FeatureEntry)});
}

// indexListed(key, state, pages) -> {pages, features}
Napi::Value indexListedCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const OpenState state(info[1]);
  const ListedEntries found = indexListed(state.view(), toWords(info[2]), *fingerprinter);
  auto out = Napi::Object::New(info.Env());
  out.Set("pages", fromBytes(info.Env(), {reinterpret_cast<const std::uint8_t*>(found.pages.data()),
                                          found.pages.size() * sizeof(IndexEntry)}));
  out.Set("features",
          fromBytes(info.Env(), {reinterpret_cast<const std::uint8_t*>(found.features.data()),
                                 found.features.size() * sizeof(FeatureEntry)}));
  return out;
}

// The entries that several batches found, where they stand: the caller gave them away.
template <typename Entry>
std::vector<std::span<Entry>> toParts(const Napi::Value& value) {
  const auto array = toObject(value).As<Napi::Array>();
  std::vector<std::span<Entry>> parts;
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const std::size_t size = toBytes(array.Get(i)).size();
    std::uint8_t* data = array.Get(i).As<Napi::Uint8Array>().Data();
    if (size % sizeof(Entry) != 0 || reinterpret_cast<std::uintptr_t>(data) % alignof(Entry) != 0) {
      throw Fault("ARGUMENT_INVALID", "A part of an index holds no whole number of entries.");
    }
    parts.push_back({reinterpret_cast<Entry*>(data), size / sizeof(Entry)});
  }
  return parts;
}

template <typename Entry>
TableSummary writeParts(const std::string& path, const Napi::Value& parts,
                        const TableIdentity& identity) {
  const auto spans = toParts<Entry>(parts);
  return writeTable<Entry>(path, std::span<const std::span<Entry>>(spans), identity);
}

std::vector<std::string> toPaths(const Napi::Value& value) {
  const auto list = toObject(value).As<Napi::Array>();
  std::vector<std::string> paths;
  for (std::uint32_t i = 0; i < list.Length(); ++i) paths.push_back(toString(list.Get(i)));
  return paths;
}

OpenIndexes& openIndexes(Info info) {
  return *info.Env().GetInstanceData<OpenIndexes>();
}

bool holdsFeatures(const Napi::Value& kind) {
  return toString(kind) == "features";
}

Napi::Value fromSummary(Napi::Env env, const TableSummary& summary) {
  auto out = Napi::Object::New(env);
  out.Set("entries", Napi::Number::New(env, static_cast<double>(summary.entries)));
  out.Set("fileBytes", Napi::Number::New(env, static_cast<double>(summary.fileBytes)));
  return out;
}

// writeTable(key, path, kind, parts, ramPages, diskPages)
Napi::Value writeTableCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const std::string path = toString(info[1]);
  const auto identity = TableIdentity::of(*fingerprinter, toUint64(info[4]), toUint64(info[5]));
  return fromSummary(info.Env(), holdsFeatures(info[2])
                                     ? writeParts<FeatureEntry>(path, info[3], identity)
                                     : writeParts<IndexEntry>(path, info[3], identity));
}

// mergeTables(key, kind, from paths oldest first, to, ramPages, diskPages)
Napi::Value mergeTablesCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const auto from = toPaths(info[2]);
  const std::string to = toString(info[3]);
  const auto identity = TableIdentity::of(*fingerprinter, toUint64(info[4]), toUint64(info[5]));
  return fromSummary(info.Env(), holdsFeatures(info[1])
                                     ? mergeTables<FeatureEntry>(from, to, identity)
                                     : mergeTables<IndexEntry>(from, to, identity));
}

// classifyPages(key, base, target, paths of the index's page tables, pages)
Napi::Value classifyPagesCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const OpenState base(info[1]);
  const OpenState target(info[2]);
  const ContentIndex& index = openIndexes(info).pages.open(
      toPaths(info[3]),
      TableIdentity::of(*fingerprinter, base.ram.pageCount(), base.disk.pageCount()));
  const Classified found =
      classifyPages(base.view(), target.view(), index, *fingerprinter, toWords(info[4]));
  auto out = Napi::Object::New(info.Env());
  out.Set("classes", fromBytes(info.Env(), found.classes));
  out.Set("sources", fromWords(info.Env(), found.sources));
  out.Set("fingerprints", fromWords(info.Env(), found.fingerprints));
  return out;
}

Napi::Value resolveTwinsCall(Info info) {
  const OpenState target(info[0]);
  const auto pages = toWords(info[1]);
  const auto classes = toBytes(info[2]);
  std::vector<std::uint8_t> newClasses(classes.begin(), classes.end());
  std::vector<std::uint64_t> newSources = toWordVector(info[3]);
  const auto fingerprints = toWords(info[4]);
  if (newClasses.size() != pages.size() || newSources.size() != pages.size() ||
      fingerprints.size() != pages.size()) {
    throw Fault("ARGUMENT_INVALID", "The plan's arrays differ in length. Plan the residue again.");
  }
  resolveTwins(target.view(), pages, newClasses, newSources, fingerprints);
  auto out = Napi::Object::New(info.Env());
  out.Set("classes", fromBytes(info.Env(), newClasses));
  out.Set("sources", fromWords(info.Env(), newSources));
  return out;
}

// findSimilar(key, base, target, paths of the index's feature tables, pages) -> two locations a
// page
Napi::Value findSimilarCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const OpenState base(info[1]);
  const OpenState target(info[2]);
  const SketchIndex& sketches = openIndexes(info).features.open(
      toPaths(info[3]),
      TableIdentity::of(*fingerprinter, base.ram.pageCount(), base.disk.pageCount()));
  return fromWords(info.Env(), findSimilar(base.view(), target.view(), sketches, toWords(info[4])));
}

Napi::Value measureYardsticksCall(Info info) {
  const Yardsticks measured = measureYardsticks(Image(toImageSpec(info[0])));
  auto out = Napi::Object::New(info.Env());
  out.Set("memcpySeconds", Napi::Number::New(info.Env(), measured.memcpySeconds));
  out.Set("xxh3Seconds", Napi::Number::New(info.Env(), measured.xxh3Seconds));
  out.Set("bytes", Napi::Number::New(info.Env(), static_cast<double>(measured.bytes)));
  return out;
}

Napi::Value bytesExaminedCall(Info info) {
  return Napi::BigInt::New(info.Env(), bytesExamined());
}

// encodeQuestions(key, places, selected, fingerprints, bits); places or selected is empty
Napi::Value encodeQuestionsCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const QuestionSubject subject{toWords(info[1]), toBytes(info[2])};
  return fromBytes(info.Env(),
                   encodeQuestions(subject, toWords(info[3]),
                                   static_cast<unsigned>(toUint64(info[4])), *fingerprinter));
}

// readQuestions(key, questions, [RAM pages, disk pages] or [RAM pages, disk pages, open]) ->
// {places, selected, cuts, mask}
Napi::Value readQuestionsCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const auto known = toWords(info[2]);
  if (known.size() < 2) throw Fault("ARGUMENT_INVALID", "Say how many pages the state has.");
  QuestionLimits limits{{known[0], known[1]}, std::nullopt};
  if (known.size() > 2) limits.open = known[2];
  const Questions questions(toBytes(info[1]), *fingerprinter, limits);
  auto out = Napi::Object::New(info.Env());
  out.Set("places", fromWords(info.Env(), questions.pages()));
  out.Set("selected", fromBytes(info.Env(), questions.selected()));
  out.Set("cuts", fromWords(info.Env(), questions.cuts()));
  out.Set("mask", Napi::BigInt::New(info.Env(), questions.mask()));
  return out;
}

Napi::Value fromMatches(Napi::Env env, const std::vector<Match>& matches) {
  std::vector<std::uint64_t> words;
  for (const Match& match : matches) {
    words.insert(words.end(), {match.question, match.location, match.fingerprint});
  }
  return fromWords(env, words);
}

// matchAtPlaces(key, places, cuts, mask, replay) -> [question, location, fingerprint, …]
Napi::Value matchAtPlacesCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const CutFingerprints asked{toWords(info[2]), toUint64(info[3])};
  const OpenState replay(info[4]);
  return fromMatches(info.Env(),
                     matchAtPlaces(toWords(info[1]), asked, replay.view(), *fingerprinter));
}

// matchAnywhere(key, cuts, mask, image, pages) -> [question, location, fingerprint, …]
Napi::Value matchAnywhereCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const CutFingerprints asked{toWords(info[1]), toUint64(info[2])};
  const Image image(toImageSpec(info[3]));
  return fromMatches(info.Env(), matchAnywhere(asked, image, toWords(info[4]), *fingerprinter));
}

Napi::Value sampleFingerprintsCall(Info info) {
  const auto fingerprinter = toFingerprinter(info[0]);
  const OpenState state(info[1]);
  return fromWords(info.Env(), sampleFingerprints(state.view(), toWords(info[2]), *fingerprinter));
}

Napi::Value encodeAnswersCall(Info info) {
  return fromBytes(info.Env(), encodeAnswers(toBytes(info[0]), toWords(info[1]), toWords(info[2])));
}

// decodeAnswers(answers, fingerprints of the questions) -> {known, sample}
Napi::Value decodeAnswersCall(Info info) {
  const DecodedAnswers answers = decodeAnswers(toBytes(info[0]), toWords(info[1]));
  const std::vector<std::uint64_t> sample(answers.sample.begin(), answers.sample.end());
  auto out = Napi::Object::New(info.Env());
  out.Set("known", fromBytes(info.Env(), answers.known));
  out.Set("sample", fromWords(info.Env(), sample));
  return out;
}

Napi::Value encodeChunkCall(Info info) {
  const Image image(toImageSpec(info[0]));
  return fromBytes(info.Env(),
                   encodeChunk(image, toUint64(info[1]), toUint64(info[2]),
                               static_cast<int>(info[3].As<Napi::Number>().Int32Value())));
}

Napi::Value applyChunkCall(Info info) {
  const AppliedChunk applied = applyChunk(toBytes(info[0]), toString(info[1]), toUint64(info[2]));
  const std::uint64_t run[] = {applied.first, applied.count};
  return fromWords(info.Env(), run);
}

template <Napi::Value (*Call)(Info)>
Napi::Value guardedCall(Info info) {
  return guarded(info.Env(), [&] { return Call(info); });
}

template <Napi::Value (*Call)(Info)>
void add(Napi::Env env, Napi::Object exports, const char* name) {
  exports.Set(name, Napi::Function::New<guardedCall<Call>>(env, name));
}

}  // namespace

void exportKernels(Napi::Env env, Napi::Object exports) {
  add<describeFileCall>(env, exports, "describeFile");
  add<comparePagesCall>(env, exports, "comparePages");
  add<compareRunsCall>(env, exports, "compareRuns");
  add<hashLeavesCall>(env, exports, "hashLeaves");
  add<merkleParentsCall>(env, exports, "merkleParents");
  add<merkleRootCall>(env, exports, "merkleRoot");
  add<indexPagesCall>(env, exports, "indexPages");
  add<sketchPagesCall>(env, exports, "sketchPages");
  add<indexListedCall>(env, exports, "indexListed");
  add<writeTableCall>(env, exports, "writeTable");
  add<mergeTablesCall>(env, exports, "mergeTables");
  add<classifyPagesCall>(env, exports, "classifyPages");
  add<resolveTwinsCall>(env, exports, "resolveTwins");
  add<findSimilarCall>(env, exports, "findSimilar");
  add<bytesExaminedCall>(env, exports, "bytesExamined");
  add<measureYardsticksCall>(env, exports, "measureYardsticks");
  add<encodeQuestionsCall>(env, exports, "encodeQuestions");
  add<readQuestionsCall>(env, exports, "readQuestions");
  add<matchAtPlacesCall>(env, exports, "matchAtPlaces");
  add<matchAnywhereCall>(env, exports, "matchAnywhere");
  add<sampleFingerprintsCall>(env, exports, "sampleFingerprints");
  add<encodeAnswersCall>(env, exports, "encodeAnswers");
  add<decodeAnswersCall>(env, exports, "decodeAnswers");
  add<encodeChunkCall>(env, exports, "encodeChunk");
  add<applyChunkCall>(env, exports, "applyChunk");
}

}  // namespace reprise::differ::binding
