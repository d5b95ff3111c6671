// The two stateful ends of a residue as JavaScript classes. Each lives on one worker thread.
#include <optional>

#include "../core/residue_decoder.h"
#include "../core/residue_encoder.h"
#include "kernels.h"
#include "marshal.h"

namespace reprise::differ::binding {
namespace {

Napi::Value kindCounts(Napi::Env env, const std::array<std::uint64_t, kOpKinds>& counts) {
  auto list = Napi::Array::New(env, kOpKinds);
  for (std::uint32_t i = 0; i < kOpKinds; ++i) {
    list.Set(i, Napi::Number::New(env, static_cast<double>(counts[i])));
  }
  return list;
}

// new ResidueEncoder(base, target, {pages, classes, sources}, {level, known, order, applied})
class EncoderObject : public Napi::ObjectWrap<EncoderObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ResidueEncoder",
                       {InstanceMethod<&EncoderObject::next>("next"),
                        InstanceMethod<&EncoderObject::close>("close")});
  }

  explicit EncoderObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    guarded(info.Env(), [&] {
      const Napi::Object plan = toObject(info[2]);
      const Napi::Object options = toObject(info[3]);
      const auto classes = toBytes(plan.Get("classes"));
      const auto known = toBytes(options.Get("known"));
      const auto applied = toBytes(options.Get("applied"));
      EncoderOptions settings;
      settings.level = options.Get("level").As<Napi::Number>().Int32Value();
      settings.known.assign(known.begin(), known.end());
      settings.applied.assign(applied.begin(), applied.end());
      for (const std::uint64_t entry : toWords(options.Get("order"))) {
        settings.order.push_back(static_cast<std::uint32_t>(entry));
      }
      base_ = std::make_unique<OpenState>(info[0]);
      target_ = std::make_unique<OpenState>(info[1]);
      plan_ = {toWordVector(plan.Get("pages")),
               {classes.begin(), classes.end()},
               toWordVector(plan.Get("sources")),
               toWordVector(plan.Get("hints"))};
      encoder_ = std::make_unique<ResidueEncoder>(base_->view(), target_->view(), plan_,
                                                  std::move(settings));
    });
  }

 private:
  Napi::Value next(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      std::optional<EncodedFrame> frame;
      if (encoder_ != nullptr) {
        if (info[0].IsNumber()) encoder_->setLevel(info[0].As<Napi::Number>().Int32Value());
        frame = encoder_->next();
      }
      if (!frame.has_value()) return info.Env().Null();
      auto out = Napi::Object::New(info.Env());
      out.Set("bytes", fromBytes(info.Env(), frame->bytes));
      out.Set("space", frame->space == Space::ram ? "ram" : "disk");
      out.Set("pages", Napi::Number::New(info.Env(), static_cast<double>(frame->pages)));
      out.Set("pagesByKind", kindCounts(info.Env(), frame->pagesByKind));
      return out;
    });
  }

  void close(const Napi::CallbackInfo&) {
    encoder_.reset();
    target_.reset();
    base_.reset();
  }

  std::unique_ptr<OpenState> base_;
  std::unique_ptr<OpenState> target_;
  PlanEntries plan_;
  std::unique_ptr<ResidueEncoder> encoder_;
};

void markRuns(ResidueOutput& output, std::span<const std::uint64_t> runs) {
  for (std::size_t i = 0; i + 1 < runs.size(); i += 2) {
    for (std::uint64_t page = runs[i]; page - runs[i] < runs[i + 1]; ++page) {
      if (page >= output.pageCount()) {
        throw Fault("ARGUMENT_INVALID",
                    "The applied runs leave the image. Start over from the base.");
      }
      output.markApplied(page);
    }
  }
}

// new ResidueDecoder(base, replay | null, answers, {ram, disk} paths, {ram, disk} applied runs)
class DecoderObject : public Napi::ObjectWrap<DecoderObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "ResidueDecoder",
                       {InstanceMethod<&DecoderObject::apply>("apply"),
                        InstanceMethod<&DecoderObject::applied>("applied"),
                        InstanceMethod<&DecoderObject::finish>("finish"),
                        InstanceMethod<&DecoderObject::close>("close")});
  }

  explicit DecoderObject(const Napi::CallbackInfo& info) : ObjectWrap(info) {
    guarded(info.Env(), [&] {
      const Napi::Object output = toObject(info[3]);
      const Napi::Object applied = toObject(info[4]);
      base_ = std::make_unique<OpenState>(info[0]);
      if (!info[1].IsNull()) {
        replay_ = std::make_unique<OpenState>(info[1]);
        replayView_.emplace(replay_->view());
      }
      ram_ = std::make_unique<ResidueOutput>(toString(output.Get("ram")), base_->ram.sizeBytes(),
                                             false);
      disk_ = std::make_unique<ResidueOutput>(toString(output.Get("disk")), base_->disk.sizeBytes(),
                                              true);
      markRuns(*ram_, toWords(applied.Get("ram")));
      markRuns(*disk_, toWords(applied.Get("disk")));
      decoder_ = std::make_unique<ResidueDecoder>(base_->view(),
                                                  replayView_.has_value() ? &*replayView_ : nullptr,
                                                  toWordVector(info[2]), *ram_, *disk_);
    });
  }

 private:
  ResidueDecoder& open() {
    if (decoder_ == nullptr)
      throw Fault("CLOSED", "The residue's applier is closed. Make a new one.");
    return *decoder_;
  }

  void apply(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] { open().apply(toBytes(info[0])); });
  }

  Napi::Value applied(const Napi::CallbackInfo& info) {
    return guarded(info.Env(), [&]() -> Napi::Value {
      open();
      auto out = Napi::Object::New(info.Env());
      out.Set("ram", fromWords(info.Env(), ram_->appliedRuns()));
      out.Set("disk", fromWords(info.Env(), disk_->appliedRuns()));
      out.Set("ramPagesByKind", kindCounts(info.Env(), decoder_->pagesByKind(Space::ram)));
      out.Set("diskPagesByKind", kindCounts(info.Env(), decoder_->pagesByKind(Space::disk)));
      return out;
    });
  }

  Napi::Value finish(const Napi::CallbackInfo& info) {
    guarded(info.Env(), [&] {
      open();
      ram_->sync();
      disk_->sync();
    });
    return applied(info);
  }

  void close(const Napi::CallbackInfo&) {
    decoder_.reset();
    ram_.reset();
    disk_.reset();
    replayView_.reset();
    replay_.reset();
    base_.reset();
  }

  std::unique_ptr<OpenState> base_;
  std::unique_ptr<OpenState> replay_;
  std::optional<StateImages> replayView_;
  std::unique_ptr<ResidueOutput> ram_;
  std::unique_ptr<ResidueOutput> disk_;
  std::unique_ptr<ResidueDecoder> decoder_;
};

}  // namespace

void exportResidue(Napi::Env env, Napi::Object exports) {
  exports.Set("ResidueEncoder", EncoderObject::define(env));
  exports.Set("ResidueDecoder", DecoderObject::define(env));
}

}  // namespace reprise::differ::binding
