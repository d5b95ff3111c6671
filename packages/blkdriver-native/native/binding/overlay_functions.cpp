#include "binding/overlay_functions.h"

#include "binding/arguments.h"
#include "binding/cancellation.h"
#include "binding/promise_worker.h"
#include "overlay/build.h"

namespace reprise::blk::binding {
namespace {

/// bigint64 [first, count, ...] from TypeScript.
std::vector<BlockRange> to_runs(const Napi::Value& value) {
  const auto array = value.As<Napi::BigUint64Array>();
  std::vector<BlockRange> runs(array.ElementLength() / 2);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i] = {array.Data()[2 * i], array.Data()[2 * i + 1]};
  }
  return runs;
}

Napi::Value new_cancellation(const Napi::CallbackInfo& info) {
  return Handle<Cancellation>::wrap(info.Env(), std::make_shared<Cancellation>());
}

Napi::Value cancel(const Napi::CallbackInfo& info) {
  if (auto cancellation = Handle<Cancellation>::unwrap(info[0])) {
    cancellation->source.request_stop();
  }
  return info.Env().Undefined();
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return run_async(info.Env(),
                   [dir = to_path(info[0]), size = to_u64(info[1]), stop = to_stop_token(info[2])] {
                     create_overlay(dir, size, stop);
                   });
}

Napi::Value seal_from(const Napi::CallbackInfo& info) {
  return run_async(info.Env(),
                   [dir = to_path(info[0]), size = to_u64(info[1]), file = to_path(info[2]),
                    runs = to_runs(info[3]), stop = to_stop_token(info[4])] {
                     seal_overlay_from(dir, size, file, runs, stop);
                   });
}

Napi::Value merge(const Napi::CallbackInfo& info) {
  return run_async(info.Env(),
                   [dir = to_path(info[0]), layers = to_paths(info[1]),
                    stop = to_stop_token(info[2])] { merge_overlays(dir, layers, stop); });
}

Napi::Value blocks(const Napi::CallbackInfo& info) {
  return PromiseWorker<std::vector<std::uint64_t>>::run(
      info.Env(),
      [layers = to_paths(info[0]), stop = to_stop_token(info[1])] {
        std::vector<std::uint64_t> words;
        for (const BlockRange& run : held_blocks(layers, stop)) {
          words.push_back(run.first);
          words.push_back(run.count);
        }
        return words;
      },
      from_words);
}

}  // namespace

void define_overlay_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  define("newCancellation", new_cancellation);
  define("cancel", cancel);
  define("createOverlay", create);
  define("sealOverlayFrom", seal_from);
  define("mergeOverlays", merge);
  define("overlayBlocks", blocks);
}

}  // namespace reprise::blk::binding
