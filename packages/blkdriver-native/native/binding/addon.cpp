#include <napi.h>

#include "binding/disk_functions.h"
#include "binding/open_cursor.h"
#include "binding/overlay_functions.h"
#include "binding/server_functions.h"
#include "binding/view_functions.h"
#include "binding/xen_functions.h"

namespace {

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  using namespace reprise::blk::binding;
  define_overlay_functions(env, exports);
  define_view_functions(env, exports);
  define_disk_functions(env, exports);
  define_server_functions(env, exports);
  define_log_functions(env, exports);
  define_xen_functions(env, exports);
  return exports;
}

}  // namespace

NODE_API_MODULE(blkdriver, initialize)
