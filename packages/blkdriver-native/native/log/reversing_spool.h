#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "error.h"
#include "log/record.h"
#include "platform/file.h"

namespace reprise::blk {

/// Records that leave in the reverse of the order they came in, through a file without a name.
class ReversingSpool {
 public:
  /// Records in memory at once.
  static constexpr std::size_t kBatch = 8192;

  /// Throws Error.
  explicit ReversingSpool(std::filesystem::path path)
      : path_(std::move(path)), fd_(open_file(path_, O_RDWR | O_CREAT | O_TRUNC)) {
    std::filesystem::remove(path_);  // anonymous: gone with the descriptor
    buffer_.reserve(kBatch);
  }

  /// Throws Error.
  void push(const Record& record) {
    buffer_.push_back(record);
    if (buffer_.size() == kBatch) spill();
  }

  /// Calls `sink(Record)`, newest first. Throws Error.
  template <typename Sink>
  void drain(Sink&& sink) {
    spill();
    std::vector<Record> batch;
    while (spilled_ > 0) {
      const std::size_t n = std::min<std::uint64_t>(kBatch, spilled_);
      batch.resize(n);
      spilled_ -= n;
      if (auto error = read_at(fd_.get(), std::as_writable_bytes(std::span(batch)),
                               spilled_ * sizeof(Record))) {
        throw_os_error("read", path_, error.value());
      }
      std::for_each(batch.rbegin(), batch.rend(), sink);
    }
  }

 private:
  void spill() {
    if (auto error =
            write_at(fd_.get(), std::as_bytes(std::span(buffer_)), spilled_ * sizeof(Record))) {
      throw_os_error("write", path_, error.value());
    }
    spilled_ += buffer_.size();
    buffer_.clear();
  }

  std::filesystem::path path_;
  UniqueFd fd_;
  std::vector<Record> buffer_;
  std::uint64_t spilled_ = 0;
};

}  // namespace reprise::blk
