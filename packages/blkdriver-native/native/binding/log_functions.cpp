#include "binding/arguments.h"
#include "binding/handle.h"
#include "binding/open_cursor.h"
#include "binding/open_disk.h"
#include "binding/promise_worker.h"

namespace reprise::blk::binding {
namespace {

using CursorHandle = Handle<OpenCursor>;

Napi::Value wrap_cursor(Napi::Env env, std::shared_ptr<OpenCursor>& cursor) {
  return CursorHandle::wrap(env, cursor);
}

Napi::Value open_log(const Napi::CallbackInfo& info) {
  return PromiseWorker<std::shared_ptr<OpenCursor>>::run(
      info.Env(),
      [dir = to_path(info[0]), options = to_cursor_options(info[1])] {
        return std::make_shared<OpenCursor>(open_log_cursor(dir, options));
      },
      wrap_cursor);
}

Napi::Value open_disk_log(const Napi::CallbackInfo& info) {
  auto disk = Handle<OpenDisk>::unwrap(info[0]);
  if (!disk) return {};
  return PromiseWorker<std::shared_ptr<OpenCursor>>::run(
      info.Env(),
      [disk, options = to_cursor_options(info[1])] {
        return disk->with(
            [&](Disk& d) { return std::make_shared<OpenCursor>(d.log().cursor(options)); });
      },
      wrap_cursor);
}

/// One JavaScript object a batch, whatever the number of records.
Napi::Value to_batch(Napi::Env env, std::vector<Record>& records) {
  if (records.empty()) return env.Null();
  const std::size_t n = records.size();
  auto sequences = Napi::BigUint64Array::New(env, n);
  auto first_blocks = Napi::BigUint64Array::New(env, n);
  auto block_counts = Napi::Uint32Array::New(env, n);
  auto kinds = Napi::Uint8Array::New(env, n);
  for (std::size_t i = 0; i < n; ++i) {
    sequences.Data()[i] = records[i].sequence;
    first_blocks.Data()[i] = records[i].target;
    block_counts.Data()[i] = records[i].count;
    kinds.Data()[i] = static_cast<std::uint8_t>(records[i].kind);
  }
  auto batch = Napi::Object::New(env);
  batch.Set("length", from_count(env, n));
  batch.Set("sequences", sequences);
  batch.Set("firstBlocks", first_blocks);
  batch.Set("blockCounts", block_counts);
  batch.Set("kinds", kinds);
  return batch;
}

Napi::Value cursor_next(const Napi::CallbackInfo& info) {
  auto cursor = CursorHandle::unwrap(info[0]);
  if (!cursor) return {};
  return PromiseWorker<std::vector<Record>>::run(
      info.Env(),
      [cursor, most = static_cast<std::size_t>(to_u64(info[1]))] {
        std::vector<Record> records(most);
        const std::lock_guard lock(cursor->mutex);
        records.resize(cursor->cursor.next(records));
        return records;
      },
      to_batch);
}

}  // namespace

CursorOptions to_cursor_options(const Napi::Value& value) {
  CursorOptions options;
  if (!value.IsObject()) return options;
  const auto object = value.As<Napi::Object>();
  if (object.Get("backward").ToBoolean()) options.direction = Direction::kBackward;
  if (object.Get("fromSequence").IsBigInt()) {
    options.from_sequence = to_u64(object.Get("fromSequence"));
  }
  if (object.Get("toSequence").IsBigInt()) options.to_sequence = to_u64(object.Get("toSequence"));
  return options;
}

void define_log_functions(Napi::Env env, Napi::Object exports) {
  exports.Set("openLog", Napi::Function::New(env, open_log));
  exports.Set("openDiskLog", Napi::Function::New(env, open_disk_log));
  exports.Set("cursorNext", Napi::Function::New(env, cursor_next));
}

}  // namespace reprise::blk::binding
