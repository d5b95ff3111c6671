#pragma once

#include <napi.h>

namespace reprise::blk::binding {

/// The functions that serve a disk to a Xen guest.
void define_xen_functions(Napi::Env env, Napi::Object exports);

}  // namespace reprise::blk::binding
