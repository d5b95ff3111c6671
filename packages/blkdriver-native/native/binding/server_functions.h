#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions on a disk's NBD servers.
void define_server_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
