#include "marshal.h"

namespace reprise::differ::binding {
namespace {

[[noreturn]] void wrong(const char* expected) {
  throw Fault("ARGUMENT_INVALID", std::string("A native call expected ") + expected +
                                      ". Use the package's TypeScript API.");
}

}  // namespace

std::uint64_t toUint64(const Napi::Value& value) {
  if (value.IsBigInt()) {
    bool lossless = false;
    const std::uint64_t number = value.As<Napi::BigInt>().Uint64Value(&lossless);
    if (lossless) return number;
  } else if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number >= 0 && number <= 9007199254740991.0) return static_cast<std::uint64_t>(number);
  }
  wrong("a count or an offset");
}

std::string toString(const Napi::Value& value) {
  if (!value.IsString()) wrong("a string");
  return value.As<Napi::String>().Utf8Value();
}

Napi::Object toObject(const Napi::Value& value) {
  if (!value.IsObject()) wrong("an object");
  return value.As<Napi::Object>();
}

std::span<const std::uint8_t> toBytes(const Napi::Value& value) {
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
    wrong("a Uint8Array");
  }
  const auto array = value.As<Napi::Uint8Array>();
  return {array.Data(), array.ElementLength()};
}

std::span<std::uint64_t> toWords(const Napi::Value& value) {
  if (!value.IsTypedArray() ||
      value.As<Napi::TypedArray>().TypedArrayType() != napi_biguint64_array) {
    wrong("a BigUint64Array");
  }
  auto array = value.As<Napi::BigUint64Array>();
  return {array.Data(), array.ElementLength()};
}

std::vector<std::uint64_t> toWordVector(const Napi::Value& value) {
  const auto words = toWords(value);
  return {words.begin(), words.end()};
}

ImageSpec toImageSpec(const Napi::Value& value) {
  const Napi::Object object = toObject(value);
  ImageSpec spec;
  spec.sizeBytes = toUint64(object.Get("sizeBytes"));
  const Napi::Value files = object.Get("files");
  if (!files.IsArray()) wrong("an image's list of files");
  const auto list = files.As<Napi::Array>();
  for (std::uint32_t i = 0; i < list.Length(); ++i) spec.files.push_back(toString(list.Get(i)));
  const auto words = toWords(object.Get("extents"));
  if (words.size() % 4 != 0) wrong("extents of four numbers each");
  for (std::size_t i = 0; i < words.size(); i += 4) {
    spec.extents.push_back({words[i], words[i + 1], words[i + 2], words[i + 3]});
  }
  return spec;
}

std::unique_ptr<Fingerprinter> toFingerprinter(const Napi::Value& value) {
  const Napi::Object object = toObject(value);
  const std::string algorithm = toString(object.Get("algorithm"));
  if (algorithm != "xxh3" && algorithm != "sha1") wrong("the algorithm 'xxh3' or 'sha1'");
  const auto key = toBytes(object.Get("key"));
  if (key.size() != kKeySize) wrong("a key of 32 B");
  return std::make_unique<Fingerprinter>(
      algorithm == "sha1" ? FingerprintAlgorithm::sha1 : FingerprintAlgorithm::xxh3,
      key.first<kKeySize>());
}

Napi::Value fromBytes(Napi::Env env, std::span<const std::uint8_t> bytes) {
  auto array = Napi::Uint8Array::New(env, bytes.size());
  std::copy(bytes.begin(), bytes.end(), array.Data());
  return array;
}

Napi::Value fromWords(Napi::Env env, std::span<const std::uint64_t> words) {
  auto array = Napi::BigUint64Array::New(env, words.size());
  std::copy(words.begin(), words.end(), array.Data());
  return array;
}

Napi::Error toError(Napi::Env env, const Fault& fault) {
  Napi::Error error = Napi::Error::New(env, fault.what());
  error.Value().Set("code", Napi::String::New(env, fault.code()));
  return error;
}

}  // namespace reprise::differ::binding
