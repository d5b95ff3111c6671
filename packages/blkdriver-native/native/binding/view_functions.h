#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions on suspended chains.
void define_view_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
