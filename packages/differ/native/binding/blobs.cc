// Blob compression as promises, off the event loop: callers need no pool for it.
#include <optional>

#include "../core/blob.h"
#include "kernels.h"
#include "marshal.h"

namespace reprise::differ::binding {
namespace {

class BlobWork : public Napi::AsyncWorker {
 public:
  // `level` when compressing, `maxBytes` when decompressing.
  BlobWork(Napi::Env env, const Napi::Value& data, const Napi::Value& reference,
           std::optional<int> level, std::size_t maxBytes)
      : AsyncWorker(env), deferred_(env), level_(level), maxBytes_(maxBytes) {
    const auto bytes = toBytes(data);
    data_.assign(bytes.begin(), bytes.end());  // the caller may reuse its buffer
    if (!reference.IsUndefined()) {
      const auto content = toBytes(reference);
      reference_.assign(content.begin(), content.end());
    }
  }

  Napi::Promise promise() const { return deferred_.Promise(); }

 protected:
  void Execute() override {
    try {
      data_ = level_.has_value() ? compressBlob(data_, *level_, reference_)
                                 : decompressBlob(data_, reference_, maxBytes_);
    } catch (const Fault& fault) {
      fault_ = fault;
    } catch (const std::exception& other) {
      fault_ = Fault("OUT_OF_MEMORY", std::string(other.what()) + ". Free memory and try again.");
    }
  }

  void OnOK() override {
    const Napi::HandleScope scope(Env());
    if (fault_.has_value()) {
      deferred_.Reject(toError(Env(), *fault_).Value());
    } else {
      deferred_.Resolve(fromBytes(Env(), data_));
    }
  }

 private:
  Napi::Promise::Deferred deferred_;
  Bytes data_;
  Bytes reference_;
  std::optional<int> level_;
  std::size_t maxBytes_;
  std::optional<Fault> fault_;
};

Napi::Value start(BlobWork* work) {
  const Napi::Promise promise = work->promise();
  work->Queue();  // from here on the worker owns itself
  return promise;
}

// compressBlob(data, reference | undefined, level)
Napi::Value compressCall(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    return start(
        new BlobWork(info.Env(), info[0], info[1], info[2].As<Napi::Number>().Int32Value(), 0));
  });
}

// decompressBlob(data, reference | undefined, maxBytes)
Napi::Value decompressCall(const Napi::CallbackInfo& info) {
  return guarded(info.Env(), [&] {
    const std::uint64_t maxBytes = toUint64(info[2]);
    if (maxBytes > kMaxBlobBytes) {
      throw Fault("ARGUMENT_INVALID", "maxBytes is above 1 GiB. Send such content as pages.");
    }
    return start(new BlobWork(info.Env(), info[0], info[1], std::nullopt, maxBytes));
  });
}

}  // namespace

void exportBlobs(Napi::Env env, Napi::Object exports) {
  exports.Set("compressBlob", Napi::Function::New<compressCall>(env, "compressBlob"));
  exports.Set("decompressBlob", Napi::Function::New<decompressCall>(env, "decompressBlob"));
}

}  // namespace reprise::differ::binding
