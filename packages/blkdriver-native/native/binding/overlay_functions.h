#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions that make and look at closed overlays, and what stops them.
void define_overlay_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
