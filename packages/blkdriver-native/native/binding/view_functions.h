#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions on closed overlays and on suspended chains.
void define_view_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
