#include "binding/view_functions.h"

#include <algorithm>
#include <mutex>

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/promise_worker.h"
#include "device/disk_view.h"

namespace reprise::blk::binding {
namespace {

/// A view until it is closed; who reads meanwhile keeps it.
class OpenView {
 public:
  static constexpr napi_type_tag kTag = {0xc0ffb2914a6d4d57, 0x93ae7b15d06f1c04};

  explicit OpenView(std::shared_ptr<DiskView> view) : view_(std::move(view)) {}

  std::shared_ptr<DiskView> get() {
    const std::lock_guard lock(mutex_);
    if (view_) return view_;
    throw Error(ErrorCode::kDiskClosed,
                "The view of the disk is closed. Open it again with DiskView.open().");
  }
  void close() {
    const std::lock_guard lock(mutex_);
    view_.reset();
  }

 private:
  std::mutex mutex_;
  std::shared_ptr<DiskView> view_;
};
using ViewHandle = Handle<OpenView>;

Napi::Value open_view(const Napi::CallbackInfo& info) {
  return PromiseWorker<std::shared_ptr<OpenView>>::run(
      info.Env(),
      [base = to_path(info[0]), layers = to_paths(info[1])] {
        return std::make_shared<OpenView>(DiskView::open(base, layers));
      },
      [](Napi::Env env, std::shared_ptr<OpenView>& view) { return ViewHandle::wrap(env, view); });
}

/// What of a view never changes.
Napi::Value view_facts(const Napi::CallbackInfo& info) {
  auto open = ViewHandle::unwrap(info[0]);
  if (!open) return {};
  const Napi::Env env = info.Env();
  try {
    const auto view = open->get();
    const auto files = view->files();
    auto array = Napi::Array::New(env, files.size());
    for (std::uint32_t i = 0; i < files.size(); ++i) array.Set(i, files[i].string());
    auto facts = Napi::Object::New(env);
    facts.Set("sizeBytes", from_u64(env, view->size_bytes()));
    facts.Set("files", array);
    return facts;
  } catch (...) {
    napi_throw(env, to_js(env, current_failure()));
    return {};
  }
}

Napi::Value view_close(const Napi::CallbackInfo& info) {
  auto open = ViewHandle::unwrap(info[0]);
  if (!open) return {};
  return run_async(info.Env(), [open] { open->close(); });
}

Napi::Value view_read(const Napi::CallbackInfo& info) {
  auto open = ViewHandle::unwrap(info[0]);
  if (!open) return {};
  const std::uint64_t offset = to_u64(info[1]);
  const std::uint64_t length = to_u64(info[2]);
  auto buffer = Napi::Buffer<std::byte>::New(info.Env(), length);
  auto kept = std::make_shared<Napi::Reference<Napi::Buffer<std::byte>>>(Napi::Persistent(buffer));
  const std::span<std::byte> out(buffer.Data(), length);
  return PromiseWorker<Nothing>::run(
      info.Env(),
      [open, offset, out] {
        const auto view = open->get();
        const std::uint64_t size = view->size_bytes();
        if (offset > size || out.size() > size - offset) {
          throw Error(ErrorCode::kOutOfRange, "The range leaves the disk of " +
                                                  std::to_string(size) +
                                                  " bytes. Ask for a range inside it.");
        }
        if (out.empty()) return Nothing{};
        if (auto error = view->chain().read(offset, out, Wait::kAllowed)) {
          throw_os_error("read", view->files().front(), error.value());
        }
        return Nothing{};
      },
      [kept](Napi::Env, Nothing&) {
        const Napi::Value result = kept->Value();
        kept->Reset();
        return result;
      });
}

Napi::Value view_extents(const Napi::CallbackInfo& info) {
  auto open = ViewHandle::unwrap(info[0]);
  if (!open) return {};
  return PromiseWorker<std::vector<std::uint64_t>>::run(
      info.Env(),
      [open] {
        std::vector<std::uint64_t> words;
        for (const DiskExtent& extent : open->get()->extents()) {
          words.insert(words.end(),
                       {extent.offset, extent.length, extent.file, extent.file_offset});
        }
        return words;
      },
      from_words);
}

}  // namespace

void define_view_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  define("openView", open_view);
  define("viewFacts", view_facts);
  define("viewClose", view_close);
  define("viewRead", view_read);
  define("viewExtents", view_extents);
}

}  // namespace reprise::blk::binding
