#include "binding/xen_functions.h"

#include <dlfcn.h>

#include <atomic>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/open_disk.h"
#include "binding/promise_worker.h"
#include "xen/module.h"

namespace reprise::blk::binding {
namespace {

using DiskHandle = Handle<OpenDisk>;

struct OpenVbd {
  static constexpr napi_type_tag kTag = {0x2f84c1d96b3e4a70, 0x95e20b7d41c86fa3};
  std::shared_ptr<OpenDisk> disk;  // a device keeps its disk
  std::shared_ptr<xen::Vbd> vbd;
};
using VbdHandle = Handle<OpenVbd>;

/// blkxen.so is built beside the addon.
std::filesystem::path addon_directory() {
  Dl_info info{};
  if (::dladdr(reinterpret_cast<void*>(&addon_directory), &info) == 0) return ".";
  return std::filesystem::path(info.dli_fname).parent_path();
}

xen::VbdOptions to_vbd_options(const Napi::Object& object) {
  xen::VbdOptions options;
  const auto number = [&](const char* name) { return to_double(object.Get(name), 0); };
  const auto flag = [&](const char* name) { return object.Get(name).ToBoolean().Value(); };
  options.domain = static_cast<std::uint32_t>(number("domainId"));
  options.device = static_cast<std::uint32_t>(number("device"));
  options.kind = object.Get("backendKind").ToString().Utf8Value();
  options.make_nodes = flag("makeNodes");
  options.read_only = flag("readOnly");
  options.state_directory = to_path(object.Get("stateDirectory"));
  options.features.flush_cache = flag("flush");
  options.features.barriers = flag("barriers");
  options.features.discard = flag("discard");
  options.features.persistent_grants = flag("persistentGrants");
  options.features.indirect_segments = static_cast<std::uint16_t>(number("indirectSegments"));
  options.features.ring_page_order = static_cast<unsigned>(number("ringPageOrder"));
  return options;
}

/// Calls a JavaScript function from the serving thread, once. It does not keep the
/// process alive: an application that has nothing else to do may end.
class EndCallback {
 public:
  EndCallback(Napi::Env env, const Napi::Value& function)
      : function_(Napi::ThreadSafeFunction::New(env, function.As<Napi::Function>(), "reprise:vbd",
                                                0, 1)) {
    function_.Unref(env);
  }

  void call() noexcept {
    if (!done_.exchange(true) && function_.NonBlockingCall() != napi_closing) function_.Release();
  }
  /// Nobody will call. Not a destructor: the last owner may be the garbage collector
  /// at the end of the environment, which has taken the function away by then.
  void drop() noexcept {
    if (!done_.exchange(true)) function_.Release();
  }

 private:
  Napi::ThreadSafeFunction function_;
  std::atomic<bool> done_{false};
};

Napi::Value disk_serve_xen(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  auto ended = std::make_shared<EndCallback>(info.Env(), info[2]);
  return PromiseWorker<std::shared_ptr<OpenVbd>>::run(
      info.Env(),
      [disk, options = to_vbd_options(info[1].As<Napi::Object>()), ended]() mutable {
        try {
          options.disk = disk->with([](Disk& open) { return open.overlay().identifier(); });
          std::shared_ptr<xen::Vbd> vbd = disk->serve_xen([&](BlockDevice& device) {
            return xen::start_vbd(addon_directory(), device, options, [ended] { ended->call(); });
          });
          return std::make_shared<OpenVbd>(OpenVbd{disk, std::move(vbd)});
        } catch (...) {
          ended->drop();
          throw;
        }
      },
      [](Napi::Env env, std::shared_ptr<OpenVbd>& vbd) { return VbdHandle::wrap(env, vbd); });
}

Napi::Value vbd_report(const Napi::CallbackInfo& info) {
  auto open = VbdHandle::unwrap(info[0]);
  if (!open) return {};
  const Napi::Env env = info.Env();
  const xen::VbdReport report = open->vbd->report();
  auto result = Napi::Object::New(env);
  const auto set = [&](const char* name, std::uint64_t value) {
    result.Set(name, from_count(env, value));
  };
  set("state", static_cast<std::uint64_t>(report.state));
  set("end", static_cast<std::uint64_t>(report.end));
  result.Set("error", report.error);
  set("connections", report.connections);
  set("takenOver", report.taken_over);
  set("looks", report.looks);
  set("brokenRings", report.broken_rings);
  set("ringRequests", report.ring_requests);
  set("persistentFrames", report.persistent_frames);
  set("requests", report.counts.requests);
  set("reads", report.counts.reads);
  set("writes", report.counts.writes);
  set("flushes", report.counts.flushes);
  set("barriers", report.counts.barriers);
  set("discards", report.counts.discards);
  set("indirect", report.counts.indirect);
  set("refused", report.counts.refused);
  set("failed", report.counts.failed);
  set("bytesRead", report.counts.bytes_read);
  set("bytesWritten", report.counts.bytes_written);
  return result;
}

Napi::Value vbd_close(const Napi::CallbackInfo& info) {
  auto open = VbdHandle::unwrap(info[0]);
  if (!open) return {};
  const bool leave = info[1].ToBoolean();
  return run_async(info.Env(), [open, leave] {
    open->vbd->close(leave ? xen::VbdClose::kLeave : xen::VbdClose::kOrderly);
  });
}

}  // namespace

void define_xen_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  define("diskServeXen", disk_serve_xen);
  define("vbdReport", vbd_report);
  define("vbdClose", vbd_close);
}

}  // namespace reprise::blk::binding
