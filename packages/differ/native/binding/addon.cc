#include <napi.h>

#include "kernels.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  reprise::differ::binding::exportKernels(env, exports);
  reprise::differ::binding::exportResidue(env, exports);
  reprise::differ::binding::exportBlobs(env, exports);
  return exports;
}

NODE_API_MODULE(differ, initialize)
