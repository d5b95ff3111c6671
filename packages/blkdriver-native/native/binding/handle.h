#pragma once

#include <napi.h>

#include <memory>

namespace reprise::blk::binding {

/// JavaScript's hold on a C++ object: an External that owns a shared_ptr and
/// carries a tag, so that another module's External cannot pass for it.
template <typename T>
struct Handle {
  static Napi::Value wrap(Napi::Env env, std::shared_ptr<T> object) {
    auto external = Napi::External<std::shared_ptr<T>>::New(
        env, new std::shared_ptr<T>(std::move(object)),
        [](Napi::Env, std::shared_ptr<T>* held) { delete held; });
    external.TypeTag(&T::kTag);
    return external;
  }

  /// Null, with a pending TypeError, where `value` is something else.
  static std::shared_ptr<T> unwrap(Napi::Value value) {
    if (value.IsExternal()) {
      auto external = value.As<Napi::External<std::shared_ptr<T>>>();
      if (external.CheckTypeTag(&T::kTag)) return *external.Data();
    }
    Napi::TypeError::New(value.Env(), "not a handle of this kind").ThrowAsJavaScriptException();
    return nullptr;
  }
};

}  // namespace reprise::blk::binding
