#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions on a writable disk.
void define_disk_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
