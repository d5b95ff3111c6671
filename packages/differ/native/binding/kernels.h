#pragma once

#include <napi.h>

namespace reprise::differ::binding {

void exportKernels(Napi::Env env, Napi::Object exports);
void exportResidue(Napi::Env env, Napi::Object exports);
void exportBlobs(Napi::Env env, Napi::Object exports);

}  // namespace reprise::differ::binding
