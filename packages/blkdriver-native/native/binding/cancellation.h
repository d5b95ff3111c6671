#pragma once

#include <napi.h>

#include <memory>
#include <stop_token>

#include "binding/handle.h"

namespace reprise::blk::binding {

/// How JavaScript stops work that runs on another thread.
struct Cancellation {
  static constexpr napi_type_tag kTag = {0x4d1f6a20c83b97e5, 0x8b6e02f9a1d35c74};
  std::stop_source source;
};

/// A token that is never asked for where `value` is undefined.
inline std::stop_token to_stop_token(const Napi::Value& value) {
  if (value.IsUndefined()) return {};
  const auto cancellation = Handle<Cancellation>::unwrap(value);
  return cancellation ? cancellation->source.get_token() : std::stop_token{};
}

}  // namespace reprise::blk::binding
