#include "nbd/listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>

#include "error.h"
#include "platform/file.h"

namespace reprise::blk::nbd {
namespace {

[[noreturn]] void fail(const std::string& message, const std::filesystem::path& path,
                       int os_error = 0) {
  throw Error(ErrorCode::kSocketFailed, message, path, os_error);
}

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.native().size() >= sizeof address.sun_path) {
    fail("The socket path " + path.string() + " is longer than the " +
             std::to_string(sizeof address.sun_path - 1) +
             " bytes that a unix socket may have. Choose a shorter one.",
         path);
  }
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  return address;
}

UniqueFd new_socket(const std::filesystem::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_os_error("create the socket", path, errno);
  return fd;
}

/// Keeps other servers from putting a socket into the directory between a look and what is
/// done about it. Nothing stays behind: it is the directory itself that is locked.
class DirectoryLock {
 public:
  explicit DirectoryLock(const std::filesystem::path& socket)
      : fd_(open_file(directory_of(socket), O_RDONLY | O_DIRECTORY)) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (::flock(fd_.get(), LOCK_EX | LOCK_NB) < 0) {
      if (errno == EINTR) continue;
      if (errno != EWOULDBLOCK) throw_os_error("lock", directory_of(socket), errno);
      if (std::chrono::steady_clock::now() > deadline) {
        throw Error(ErrorCode::kSocketBusy,
                    "Another program keeps " + directory_of(socket).string() +
                        " locked. Try again, or choose another directory.",
                    socket);
      }
      std::this_thread::sleep_for(kPause);
    }
  }

 private:
  static constexpr std::chrono::milliseconds kDeadline{5'000};
  static constexpr std::chrono::milliseconds kPause{2};

  static std::filesystem::path directory_of(const std::filesystem::path& socket) {
    return socket.has_parent_path() ? socket.parent_path() : ".";
  }

  UniqueFd fd_;
};

/// Nothing may be there but a socket that nobody answers on.
void check_free(const std::filesystem::path& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) < 0) return;
  if (!S_ISSOCK(status.st_mode)) {
    fail(path.string() + " exists and is not a socket. Choose another path or remove it.", path);
  }
  const UniqueFd probe = new_socket(path);
  const sockaddr_un address = address_of(path);
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
    throw Error(ErrorCode::kSocketBusy,
                "Another server listens on " + path.string() +
                    ". Close that one first or choose another path.",
                path);
  }
}

}  // namespace

UnixListener::UnixListener(std::filesystem::path path, mode_t mode) : path_(std::move(path)) {
  (void)address_of(path_);
  const DirectoryLock lock(path_);
  check_free(path_);
  auto staged = path_;
  staged += ".";
  staged += std::to_string(::getpid() % 10000);
  const sockaddr_un address = address_of(staged);
  fd_ = new_socket(path_);
  ::unlink(staged.c_str());
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
    throw_os_error("bind the socket", path_, errno);
  }
  struct stat status {};
  if (::chmod(staged.c_str(), mode) < 0 || ::listen(fd_.get(), SOMAXCONN) < 0 ||
      ::lstat(staged.c_str(), &status) < 0 || ::rename(staged.c_str(), path_.c_str()) < 0) {
    const int os_error = errno;
    ::unlink(staged.c_str());
    throw_os_error("listen on", path_, os_error);
  }
  device_ = status.st_dev;
  inode_ = status.st_ino;
}

UnixListener::~UnixListener() {
  try {
    const DirectoryLock lock(path_);
    struct stat status {};
    if (::lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ &&
        status.st_ino == inode_) {
      ::unlink(path_.c_str());
    }
  } catch (const Error&) {
    // The directory is gone, or taken: a socket that stays is replaced by the next server.
  }
}

}  // namespace reprise::blk::nbd
