// A whole connection against a disk in memory: any bytes a client may send.
#include <sys/socket.h>

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>

#include "error.h"
#include "nbd/session.h"

using namespace reprise::blk;
using namespace reprise::blk::nbd;

namespace {

/// Checks what the interface promises to a device, and stores bytes.
class MemoryDevice final : public BlockDevice {
 public:
  std::uint64_t size_bytes() const noexcept override { return kSize; }
  std::error_code read(std::uint64_t offset, std::span<std::byte> out, Wait wait) override {
    check(offset, out.size());
    if (wait == Wait::kNever && offset % 3 == 0) {
      return os_error_code(std::errc::resource_unavailable_try_again);
    }
    const std::lock_guard lock(mutex_);
    std::memcpy(out.data(), bytes_.data() + offset, out.size());
    return {};
  }
  std::error_code write(std::uint64_t offset, std::span<const std::byte> data) override {
    check(offset, data.size());
    const std::lock_guard lock(mutex_);
    std::memcpy(bytes_.data() + offset, data.data(), data.size());
    return {};
  }
  std::error_code flush() override { return {}; }
  std::error_code trim(std::uint64_t offset, std::uint64_t length) override {
    return check(offset, length);
  }
  std::error_code zero(std::uint64_t offset, std::uint64_t length, ZeroOptions) override {
    return check(offset, length);
  }
  std::error_code cache(std::uint64_t offset, std::uint64_t length) override {
    return check(offset, length);
  }
  std::error_code status(StatusKind, std::uint64_t offset, std::uint64_t length,
                         const ExtentVisitor& visit) override {
    for (std::uint32_t flags = 0; length > 0; flags ^= 1) {
      const std::uint64_t n = std::min<std::uint64_t>(length, 4096 - offset % 4096);
      if (!visit(n, flags)) break;
      offset += n;
      length -= n;
    }
    return {};
  }

 private:
  static constexpr std::uint64_t kSize = 1 << 20;
  static std::error_code check(std::uint64_t offset, std::uint64_t length) {
    if (length == 0 || offset > kSize || length > kSize - offset) std::abort();
    return {};
  }

  std::mutex mutex_;
  std::vector<std::byte> bytes_ = std::vector<std::byte>(kSize);
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  static MemoryDevice device;
  static WorkerPool pool(2);
  int sockets[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) < 0) std::abort();
  const UniqueFd server(sockets[0]);
  const UniqueFd client(sockets[1]);
  Agreement agreement{.structured_replies = (data[0] & 1) != 0};
  if ((data[0] & 2) != 0) agreement.contexts = {kMetaContexts[0], kMetaContexts[1]};
  std::thread drain([&] {
    char sink[65536];
    while (::recv(client.get(), sink, sizeof sink, 0) > 0) {
    }
  });
  std::thread feed([&] {
    std::size_t sent = 1;
    while (sent < size) {
      const ssize_t n = ::send(client.get(), data + sent, size - sent, MSG_NOSIGNAL);
      if (n <= 0) break;
      sent += static_cast<std::size_t>(n);
    }
    ::shutdown(client.get(), SHUT_WR);
  });
  {
    InputBuffer input(server.get());
    OutputBuffer output(server.get());
    BusyPollSlot busy_poll_slot;
    Session(server.get(), device, pool, busy_poll_slot, agreement, input, output, {}).run();
  }
  ::shutdown(server.get(), SHUT_RDWR);
  feed.join();
  drain.join();
  return 0;
}
