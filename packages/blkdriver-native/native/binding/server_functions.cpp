#include "binding/server_functions.h"

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/open_disk.h"
#include "binding/promise_worker.h"

namespace reprise::blk::binding {
namespace {

using DiskHandle = Handle<OpenDisk>;

struct OpenServer {
  static constexpr napi_type_tag kTag = {0x61c2b7e4a90d4f38, 0xa77d13f08e4c2b03};
  std::shared_ptr<OpenDisk> disk;  // a server keeps its disk
  std::shared_ptr<nbd::Server> server;
};
using ServerHandle = Handle<OpenServer>;

Napi::Value disk_serve(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  const auto object = info[1].As<Napi::Object>();
  nbd::ServerOptions options;
  options.socket_path = to_path(object.Get("socketPath"));
  options.export_name = object.Get("exportName").ToString().Utf8Value();
  options.mode = static_cast<mode_t>(to_double(object.Get("mode"), 0600));
  options.max_connections = static_cast<unsigned>(to_double(object.Get("maxConnections"), 16));
  options.tuning.inline_reads = !object.Get("poolReadsOnly").ToBoolean();
  return PromiseWorker<std::shared_ptr<OpenServer>>::run(
      info.Env(),
      [disk, options] {
        return std::make_shared<OpenServer>(OpenServer{disk, disk->serve(options)});
      },
      [](Napi::Env env, std::shared_ptr<OpenServer>& server) {
        return ServerHandle::wrap(env, server);
      });
}

Napi::Value server_connections(const Napi::CallbackInfo& info) {
  auto open = ServerHandle::unwrap(info[0]);
  return open ? from_count(info.Env(), open->server->counts().open) : Napi::Value();
}

Napi::Value server_close(const Napi::CallbackInfo& info) {
  auto open = ServerHandle::unwrap(info[0]);
  if (!open) return {};
  return run_async(info.Env(), [open] { open->disk->close_server(open->server); });
}

}  // namespace

void define_server_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  define("diskServe", disk_serve);
  define("serverConnections", server_connections);
  define("serverClose", server_close);
}

}  // namespace reprise::blk::binding
