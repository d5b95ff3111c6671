#include "overlay/staged_overlay.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "error.h"
#include "platform/file.h"

namespace reprise::blk {
namespace {

/// Between two looks at whether the copy is still wanted.
constexpr std::uint64_t kCopiedAtOnce = 16 << 20;

}  // namespace

StagedDirectory::StagedDirectory(const std::filesystem::path& target) : target_(target) {
  static std::atomic<unsigned> serial{0};
  std::error_code error;
  if (std::filesystem::exists(target, error) && !std::filesystem::is_empty(target, error)) {
    throw Error(ErrorCode::kOverlayExists,
                target.string() + " exists already. Choose another directory or remove it.",
                target);
  }
  staged_ = target;
  staged_ += ".partial-" + std::to_string(::getpid()) + "-" + std::to_string(++serial);
  std::filesystem::remove_all(staged_, error);
  if (!std::filesystem::create_directory(staged_, error)) {
    throw_os_error("create", staged_, error ? error.value() : EEXIST);
  }
  std::filesystem::permissions(staged_, std::filesystem::perms::owner_all, error);
}

StagedDirectory::~StagedDirectory() {
  std::error_code ignored;  // after commit() there is nothing left to remove
  std::filesystem::remove_all(staged_, ignored);
}

void StagedDirectory::commit() {
  sync_directory(staged_);
  if (::rename(staged_.c_str(), target_.c_str()) < 0) throw_os_error("create", target_, errno);
  const auto parent = std::filesystem::absolute(target_).lexically_normal().parent_path();
  sync_directory(parent);
}

std::uint64_t random_salt() {
  const Identifier id = random_identifier();
  std::uint64_t salt;
  std::memcpy(&salt, id.data(), sizeof salt);
  return salt | 1;  // 0 stands for "no segment header yet"
}

UniqueFd create_data_file(const std::filesystem::path& dir, std::uint64_t size_bytes) {
  UniqueFd fd = open_file(data_path(dir), O_RDWR | O_CREAT | O_EXCL);
  resize(fd.get(), blocks_for(size_bytes) * kBlockSize, data_path(dir));
  return fd;
}

void write_header(const std::filesystem::path& dir, std::uint64_t size_bytes, OverlayState state,
                  std::uint64_t salt) {
  HeaderFile::create(dir, {.size_bytes = size_bytes,
                           .state = state,
                           .boot = boot_id(),
                           .identifier = random_identifier(),
                           .salt = salt});
}

void copy_data(int from, int to, std::uint64_t offset, std::uint64_t end,
               const std::filesystem::path& path, const std::stop_token& stop) {
  while (offset < end) {
    check_wanted(stop);
    const FileExtent extent = extent_at(from, offset, std::min(end - offset, kCopiedAtOnce));
    if (extent.data) copy_range(from, to, offset, extent.length, path);
    offset += extent.length;
  }
}

}  // namespace reprise::blk
