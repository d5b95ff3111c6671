#pragma once

#include <napi.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "error.h"

namespace reprise::blk::binding {

/// What went wrong, carried from a worker thread to JavaScript.
struct Failure {
  std::string code;
  std::string message;
  std::string path;
  int os_error = 0;
};

/// The failure that the exception in flight stands for. Call it in a catch block.
inline Failure current_failure() {
  try {
    throw;
  } catch (const Error& error) {
    return {std::string(code_name(error.code())), error.what(), error.path().string(),
            error.os_error()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {"IO_FAILED", error.what(), error.path1().string(), error.code().value()};
  } catch (const std::exception& error) {
    return {"IO_FAILED", error.what(), "", 0};
  }
}

inline Napi::Value to_js(Napi::Env env, const Failure& failure) {
  Napi::Object error = Napi::Error::New(env, failure.message).Value();
  error.Set("code", failure.code);
  if (!failure.path.empty()) error.Set("path", failure.path);
  if (failure.os_error != 0) error.Set("osError", failure.os_error);
  return error;
}

/// Runs `work` on a libuv thread and settles a promise with what `convert` makes
/// of its result on JavaScript's thread. Exceptions stop here.
template <typename Result>
class PromiseWorker final : public Napi::AsyncWorker {
 public:
  using Work = std::function<Result()>;
  using Convert = std::function<Napi::Value(Napi::Env, Result&)>;

  static Napi::Value run(Napi::Env env, Work work, Convert convert) {
    auto* worker = new PromiseWorker(env, std::move(work), std::move(convert));
    const Napi::Promise promise = worker->deferred_.Promise();
    worker->Queue();  // it deletes itself when it is done
    return promise;
  }

 protected:
  void Execute() override {
    try {
      result_.emplace(work_());
    } catch (...) {
      failure_ = current_failure();
    }
  }
  void OnOK() override {
    const Napi::HandleScope scope(Env());
    if (failure_) {
      deferred_.Reject(to_js(Env(), *failure_));
    } else {
      deferred_.Resolve(convert_(Env(), *result_));
    }
  }

 private:
  PromiseWorker(Napi::Env env, Work work, Convert convert)
      : Napi::AsyncWorker(env, "reprise:blkdriver"),
        deferred_(Napi::Promise::Deferred::New(env)),
        work_(std::move(work)),
        convert_(std::move(convert)) {}

  Napi::Promise::Deferred deferred_;
  Work work_;
  Convert convert_;
  std::optional<Result> result_;
  std::optional<Failure> failure_;
};

struct Nothing {};

/// The same for work without a result.
inline Napi::Value run_async(Napi::Env env, std::function<void()> work) {
  return PromiseWorker<Nothing>::run(
      env,
      [work = std::move(work)] {
        work();
        return Nothing{};
      },
      [](Napi::Env e, Nothing&) { return e.Undefined(); });
}

}  // namespace reprise::blk::binding
