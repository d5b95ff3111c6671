// Between JavaScript values and the core's types. Every function here throws Fault on a wrong
// argument.
#pragma once

#include <napi.h>

#include <span>
#include <string>
#include <vector>

#include "../core/bytes.h"
#include "../core/classify.h"
#include "../core/fingerprint.h"
#include "../core/image.h"

namespace reprise::differ::binding {

std::uint64_t toUint64(const Napi::Value& value);
std::string toString(const Napi::Value& value);
Napi::Object toObject(const Napi::Value& value);
std::span<const std::uint8_t> toBytes(const Napi::Value& value);
std::span<std::uint64_t> toWords(const Napi::Value& value);
std::vector<std::uint64_t> toWordVector(const Napi::Value& value);
ImageSpec toImageSpec(const Napi::Value& value);
std::unique_ptr<Fingerprinter> toFingerprinter(const Napi::Value& value);

Napi::Value fromBytes(Napi::Env env, std::span<const std::uint8_t> bytes);
Napi::Value fromWords(Napi::Env env, std::span<const std::uint64_t> words);

// Both images of a state, open for pages from a list.
struct OpenState {
  Image ram;
  Image disk;
  explicit OpenState(const Napi::Value& value)
      : ram(toImageSpec(toObject(value).Get("ram")), Access::scattered),
        disk(toImageSpec(toObject(value).Get("disk")), Access::scattered) {}
  StateImages view() const { return {ram, disk}; }
};

Napi::Error toError(Napi::Env env, const Fault& fault);

// Runs `body` so that no C++ exception of ours leaves it: faults become JavaScript errors with a
// code.
template <typename Body>
auto guarded(Napi::Env env, Body body) -> decltype(body()) {
  try {
    return body();
  } catch (const Fault& fault) {
    throw toError(env, fault);
  } catch (const std::bad_alloc&) {
    throw toError(env, Fault("OUT_OF_MEMORY", "Memory ran out. Free some and try again."));
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception& other) {
    throw toError(env, Fault("INTERNAL", std::string(other.what()) + ". Report this as a bug."));
  }
}

}  // namespace reprise::differ::binding
