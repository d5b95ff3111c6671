#pragma once

#include <napi.h>

#include <algorithm>
#include <filesystem>
#include <vector>

// What TypeScript has already checked, in C++ types. The TypeScript layer is the
// only caller; these functions still never read past what is there.
namespace reprise::blk::binding {

inline std::uint64_t to_u64(const Napi::Value& value) {
  if (value.IsNumber()) return static_cast<std::uint64_t>(value.As<Napi::Number>().Int64Value());
  if (!value.IsBigInt()) return 0;
  bool lossless = false;
  return value.As<Napi::BigInt>().Uint64Value(&lossless);
}

inline std::filesystem::path to_path(const Napi::Value& value) {
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

inline std::vector<std::filesystem::path> to_paths(const Napi::Value& value) {
  std::vector<std::filesystem::path> paths;
  if (!value.IsArray()) return paths;
  const auto array = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < array.Length(); ++i) paths.push_back(to_path(array.Get(i)));
  return paths;
}

inline double to_double(const Napi::Value& value, double otherwise) {
  return value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : otherwise;
}

inline Napi::Value from_u64(Napi::Env env, std::uint64_t value) {
  return Napi::BigInt::New(env, value);
}

inline Napi::Value from_words(Napi::Env env, const std::vector<std::uint64_t>& words) {
  auto array = Napi::BigUint64Array::New(env, words.size());
  std::copy(words.begin(), words.end(), array.Data());
  return array;
}

/// Counters stay exact up to 2^53.
inline Napi::Value from_count(Napi::Env env, std::uint64_t value) {
  return Napi::Number::New(env, static_cast<double>(value));
}

}  // namespace reprise::blk::binding
