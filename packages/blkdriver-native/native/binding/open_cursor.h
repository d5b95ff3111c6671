#pragma once

#include <napi.h>

#include <memory>
#include <mutex>

#include "log/cursor.h"

namespace reprise::blk::binding {

/// A walk through a dirty log. One batch at a time.
struct OpenCursor {
  static constexpr napi_type_tag kTag = {0x3d7709a7f2c84b15, 0x8f61e0cc5b2d9a02};

  explicit OpenCursor(Cursor walk) : cursor(std::move(walk)) {}

  std::mutex mutex;
  Cursor cursor;
};

CursorOptions to_cursor_options(const Napi::Value& value);
void define_log_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
