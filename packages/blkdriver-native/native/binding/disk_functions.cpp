#include "binding/disk_functions.h"

#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/open_disk.h"
#include "binding/promise_worker.h"

namespace reprise::blk::binding {
namespace {

using DiskHandle = Handle<OpenDisk>;

void require(std::error_code error, const char* what) {
  if (!error) return;
  const bool full = error == std::errc::no_space_on_device;
  throw Error(full ? ErrorCode::kNoSpace : ErrorCode::kIoFailed,
              std::string("The virtual disk could not ") + what + ": " + error.message() +
                  (full ? ". Free space for the overlay and try again."
                        : ". Check the disk that holds the base and the overlay."),
              {}, error.value());
}

void check_range(OpenDisk& disk, std::uint64_t offset, std::uint64_t length) {
  if (offset <= disk.size_bytes() && length <= disk.size_bytes() - offset) return;
  throw Error(ErrorCode::kOutOfRange, "Bytes " + std::to_string(offset) + " to " +
                                          std::to_string(offset + length) + " leave the disk of " +
                                          std::to_string(disk.size_bytes()) +
                                          " bytes. Ask for a range inside it.");
}

DiskOptions to_disk_options(const Napi::Value& value) {
  DiskOptions options;
  if (!value.IsObject()) return options;
  const auto object = value.As<Napi::Object>();
  const auto number = [&](const char* name, double otherwise) {
    return to_double(object.Get(name), otherwise);
  };
  const auto delay = [&](const char* name) {
    return std::chrono::microseconds(static_cast<std::int64_t>(number(name, 0)));
  };
  options.faults.read_rate = number("readFaultRate", 0);
  options.faults.write_rate = number("writeFaultRate", 0);
  options.faults.flush_rate = number("flushFaultRate", 0);
  options.faults.seed = static_cast<std::uint64_t>(number("faultSeed", 1));
  options.delays = {delay("readDelayUs"), delay("writeDelayUs"), delay("flushDelayUs")};
  options.tracking = !object.Get("withoutTracking").ToBoolean();
  options.overlay.assume_power_loss = object.Get("assumePowerLoss").ToBoolean();
  options.overlay.log_segment_bytes = static_cast<std::size_t>(number("logSegmentBytes", 1 << 20));
  options.overlay.log_compact_bytes =
      static_cast<std::uint64_t>(number("logCompactBytes", 32 << 20));
  return options;
}

/// Closes the disk when the environment ends before JavaScript did, as a worker
/// thread's may. Runs at most once, on JavaScript's thread.
void close_with_environment(Napi::Env env, const std::shared_ptr<OpenDisk>& disk) {
  auto* held = new std::weak_ptr<OpenDisk>(disk);
  env.AddCleanupHook(
      [](std::weak_ptr<OpenDisk>* weak) {
        const std::unique_ptr<std::weak_ptr<OpenDisk>> owned(weak);
        if (auto open = owned->lock()) {
          try {
            open->close();
          } catch (const Error&) {
            // The overlay stays "open" on disk and is recovered next time.
          }
        }
      },
      held);
}

Napi::Value open_disk(const Napi::CallbackInfo& info) {
  return PromiseWorker<std::shared_ptr<OpenDisk>>::run(
      info.Env(),
      [base = to_path(info[0]), layers = to_paths(info[1]), overlay = to_path(info[2]),
       options = to_disk_options(info[3])] {
        return std::make_shared<OpenDisk>(Disk::open(base, layers, overlay, options));
      },
      [](Napi::Env env, std::shared_ptr<OpenDisk>& disk) {
        close_with_environment(env, disk);
        return DiskHandle::wrap(env, disk);
      });
}

Napi::Value disk_size(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  return disk ? from_u64(info.Env(), disk->size_bytes()) : Napi::Value();
}

enum class From { kDisk, kBelow, kOverlay };

/// Whether every block of the range is the overlay's own.
bool overlay_holds(Disk& disk, std::uint64_t offset, std::uint64_t length) {
  const BlockRange range = blocks_touched(offset, length);
  const PresenceMap& presence = disk.overlay().presence();
  for (std::uint64_t at = range.first; at < range.end();) {
    const auto run = presence.run_at(at, range.end() - at);
    if (run.state == BlockState::kAbsent) return false;
    at += run.length;
  }
  return true;
}

template <From from>
Napi::Value disk_read(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  const std::uint64_t offset = to_u64(info[1]);
  const std::uint64_t length = to_u64(info[2]);
  // The thread reads straight into the Buffer, which the reference keeps in place.
  auto buffer = Napi::Buffer<std::byte>::New(info.Env(), length);
  auto kept = std::make_shared<Napi::Reference<Napi::Buffer<std::byte>>>(Napi::Persistent(buffer));
  const std::span<std::byte> out(buffer.Data(), length);
  return PromiseWorker<bool>::run(
      info.Env(),
      [disk, offset, out] {
        check_range(*disk, offset, out.size());
        return disk->with([&](Disk& d) {
          if (out.empty()) return true;
          if (from == From::kOverlay && !overlay_holds(d, offset, out.size())) return false;
          require(from == From::kBelow ? d.copy_on_write().read_below(offset, out)
                                       : d.device().read(offset, out, Wait::kAllowed),
                  "read");
          return true;
        });
      },
      [kept](Napi::Env env, bool& held) {
        const Napi::Value result = held ? Napi::Value(kept->Value()) : env.Null();
        kept->Reset();
        return result;
      });
}

Napi::Value disk_write(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  const std::uint64_t offset = to_u64(info[1]);
  auto data = info[2].As<Napi::Uint8Array>();
  auto kept = std::make_shared<Napi::Reference<Napi::Uint8Array>>(Napi::Persistent(data));
  const std::span<const std::byte> in(reinterpret_cast<const std::byte*>(data.Data()),
                                      data.ByteLength());
  return PromiseWorker<Nothing>::run(
      info.Env(),
      [disk, offset, in] {
        check_range(*disk, offset, in.size());
        disk->with([&](Disk& d) {
          if (!in.empty()) require(d.device().write(offset, in), "write");
        });
        return Nothing{};
      },
      [kept](Napi::Env env, Nothing&) {
        kept->Reset();
        return env.Undefined();
      });
}

Napi::Value disk_flush(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  return run_async(info.Env(),
                   [disk] { disk->with([](Disk& d) { require(d.device().flush(), "flush"); }); });
}

Napi::Value disk_cut_epoch(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  return PromiseWorker<DirtyLog::Cut>::run(
      info.Env(), [disk] { return disk->with([](Disk& d) { return d.log().cut_epoch(); }); },
      [](Napi::Env env, DirtyLog::Cut& cut) -> Napi::Value {
        auto result = Napi::Object::New(env);
        result.Set("epoch", from_count(env, cut.epoch));
        result.Set("sequence", from_u64(env, cut.sequence));
        return result;
      });
}

Napi::Value disk_close(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  return run_async(info.Env(), [disk] { disk->close(); });
}

Napi::Value disk_statistics(const Napi::CallbackInfo& info) {
  auto disk = DiskHandle::unwrap(info[0]);
  if (!disk) return {};
  const Napi::Env env = info.Env();
  try {
    const auto [counts, log] =
        disk->with([](Disk& d) { return std::pair(d.counts(), d.log().statistics()); });
    const auto servers = disk->server_counts();
    auto result = Napi::Object::New(env);
    const auto set = [&](const char* name, std::uint64_t value) {
      result.Set(name, from_count(env, value));
    };
    set("reads", counts.reads);
    set("readBytes", counts.read_bytes);
    set("writes", counts.writes);
    set("writtenBytes", counts.write_bytes);
    set("flushes", counts.flushes);
    set("trims", counts.trims);
    set("zeroes", counts.zeroes);
    set("errors", counts.errors);
    set("connections", servers.open);
    set("connectionsAccepted", servers.accepted);
    set("connectionsRefused", servers.refused);
    set("epoch", log.epoch);
    set("logRecords", log.records);
    set("logBytes", log.bytes);
    set("logCompactions", log.compactions);
    result.Set("nextSequence", from_u64(env, log.next_sequence));
    result.Set("durableSequence", from_u64(env, log.durable_sequence));
    return result;
  } catch (...) {
    napi_throw(env, to_js(env, current_failure()));
    return {};
  }
}

}  // namespace

void define_disk_functions(Napi::Env env, Napi::Object exports) {
  const auto define = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  define("openDisk", open_disk);
  define("diskSize", disk_size);
  define("diskRead", disk_read<From::kDisk>);
  define("diskReadBase", disk_read<From::kBelow>);
  define("diskReadOverlay", disk_read<From::kOverlay>);
  define("diskWrite", disk_write);
  define("diskFlush", disk_flush);
  define("diskCutEpoch", disk_cut_epoch);
  define("diskStatistics", disk_statistics);
  define("diskClose", disk_close);
}

}  // namespace reprise::blk::binding
