#include "xen/xenstore.h"

// Xen's headers are C and do not say so.
extern "C" {
#include <xenstore.h>
}

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "error.h"

namespace reprise::blk::xen {
namespace {

/// Longer than any value that means something to us.
constexpr unsigned kLongestValue = 4096;

[[noreturn]] void throw_failed(const char* doing, const std::string& path) {
  const int error = errno;
  throw Error(ErrorCode::kXenFailed,
              std::string("Cannot ") + doing + " " + path +
                  " in xenstore: " + std::generic_category().message(error) +
                  ". Check that xenstored runs and that this is dom0 or a driver domain.",
              path, error);
}

struct Free {
  void operator()(void* memory) const noexcept { std::free(memory); }
};

}  // namespace

void Xenstore::Close::operator()(xs_handle* handle) const noexcept {
  ::xs_close(handle);
}

Xenstore::Xenstore() : handle_(::xs_open(0)) {
  if (handle_) return;
  throw Error(ErrorCode::kXenUnavailable,
              "xenstore cannot be reached, so this is no Xen host or its toolstack is down. Boot "
              "Xen, start xenstored, and run this as root in dom0.",
              {}, errno);
}

std::optional<std::string> Xenstore::read(const std::string& path) const {
  unsigned length = 0;
  const std::unique_ptr<void, Free> value(
      ::xs_read(handle_.get(), XBT_NULL, path.c_str(), &length));
  if (!value || length > kLongestValue) return std::nullopt;
  return std::string(static_cast<const char*>(value.get()), length);
}

std::optional<std::uint64_t> Xenstore::read_number(const std::string& path,
                                                   std::uint64_t most) const {
  const auto text = read(path);
  return text ? parse_number(*text, most) : std::nullopt;
}

std::optional<XenbusState> Xenstore::read_state(const std::string& path) const {
  const auto text = read(path);
  if (!text) return std::nullopt;
  const auto number = parse_number(*text, static_cast<std::uint64_t>(XenbusState::kClosed));
  return number ? static_cast<XenbusState>(*number) : XenbusState::kUnknown;
}

std::vector<std::string> Xenstore::list(const std::string& path) const {
  unsigned count = 0;
  const std::unique_ptr<char*, Free> names(
      ::xs_directory(handle_.get(), XBT_NULL, path.c_str(), &count));
  if (!names) return {};
  return {names.get(), names.get() + count};
}

void Xenstore::write(const std::string& path, std::string_view value) {
  if (!::xs_write(handle_.get(), XBT_NULL, path.c_str(), value.data(),
                  static_cast<unsigned>(value.size()))) {
    throw_failed("write", path);
  }
}

void Xenstore::make_directory(const std::string& path, std::uint32_t owner, std::uint32_t reader) {
  std::array<xs_permissions, 2> permissions{};
  permissions[0].id = owner;
  permissions[0].perms = XS_PERM_NONE;
  permissions[1].id = reader;
  permissions[1].perms = XS_PERM_READ;
  if (!::xs_mkdir(handle_.get(), XBT_NULL, path.c_str()) ||
      !::xs_set_permissions(handle_.get(), XBT_NULL, path.c_str(), permissions.data(),
                            static_cast<unsigned>(permissions.size()))) {
    throw_failed("make", path);
  }
}

void Xenstore::remove(const std::string& path) noexcept {
  (void)::xs_rm(handle_.get(), XBT_NULL, path.c_str());
}

void Xenstore::watch(const std::string& path) {
  if (!::xs_watch(handle_.get(), path.c_str(), "reprise")) throw_failed("watch", path);
}

int Xenstore::fd() const noexcept {
  return ::xs_fileno(handle_.get());
}

bool Xenstore::drain_watches(unsigned most) noexcept {
  for (unsigned i = 0; i < most; ++i) {
    const std::unique_ptr<char*, Free> fired(::xs_check_watch(handle_.get()));
    if (!fired) return i > 0;
  }
  return true;
}

}  // namespace reprise::blk::xen
