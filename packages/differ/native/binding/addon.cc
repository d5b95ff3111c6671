#include <napi.h>

#include "kernels.h"
#include "open_index.h"

static Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new reprise::differ::binding::OpenIndexes);  // the environment deletes it
  reprise::differ::binding::exportKernels(env, exports);
  reprise::differ::binding::exportResidue(env, exports);
  reprise::differ::binding::exportBlobs(env, exports);
  return exports;
}

NODE_API_MODULE(differ, initialize)
