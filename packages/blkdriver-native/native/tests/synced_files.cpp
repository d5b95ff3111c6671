#include "synced_files.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <utility>

namespace {

std::mutex mutex;
bool noting = false;
std::vector<std::string> synced;

}  // namespace

/// The test program's own, in place of the C library's.
extern "C" int fdatasync(int fd) {
  const auto result = static_cast<int>(::syscall(SYS_fdatasync, fd));
  const std::lock_guard lock(mutex);
  if (result == 0 && noting) {
    const auto link = std::filesystem::path("/proc/self/fd") / std::to_string(fd);
    synced.push_back(std::filesystem::read_symlink(link).filename());
  }
  return result;
}

namespace reprise::blk::testing {

SyncedFiles::SyncedFiles() {
  const std::lock_guard lock(mutex);
  noting = true;
}

SyncedFiles::~SyncedFiles() {
  const std::lock_guard lock(mutex);
  noting = false;
  synced.clear();
}

std::vector<std::string> SyncedFiles::take() {
  const std::lock_guard lock(mutex);
  return std::exchange(synced, {});
}

}  // namespace reprise::blk::testing
