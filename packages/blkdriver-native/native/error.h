#pragma once

#include <filesystem>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>

namespace reprise::blk {

/// Why a disk, an overlay or a server could not be set up. The names are part
/// of the public interface (see `code_name`): they may be added to, not changed.
enum class ErrorCode {
  kAborted,
  kBaseUnreadable,
  kChainSizeMismatch,
  kChainTooLong,
  kDiskClosed,
  kInvalidArgument,
  kIoFailed,
  kLogCorrupt,
  kNoSpace,
  kOutOfRange,
  kOverlayBusy,
  kOverlayCorrupt,
  kOverlayExists,
  kOverlayNotClosed,
  kOverlayNotFound,
  kOverlaySealed,
  kOverlayVersion,
  kSocketBusy,
  kSocketFailed,
  kXenFailed,
  kXenNoDomain,
  kXenUnavailable,
};

/// The stable name of a code, as TypeScript callers see it ("OVERLAY_BUSY").
std::string_view code_name(ErrorCode code) noexcept;

/// Thrown while things are set up or taken down. Reads and writes never throw:
/// they return a std::error_code, because a failed request is data to a server.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message, std::filesystem::path path = {},
        int os_error = 0)
      : std::runtime_error(message), code_(code), path_(std::move(path)), os_error_(os_error) {}

  ErrorCode code() const noexcept { return code_; }
  const std::filesystem::path& path() const noexcept { return path_; }
  /// errno of the system call that failed, 0 where none did.
  int os_error() const noexcept { return os_error_; }

 private:
  ErrorCode code_;
  std::filesystem::path path_;
  int os_error_;
};

/// Throws Error(kAborted) when the caller wants the work no more.
void check_wanted(const std::stop_token& stop);

/// Throws the Error that fits a failed system call: a full disk is kNoSpace.
[[noreturn]] void throw_os_error(std::string_view doing, const std::filesystem::path& path,
                                 int os_error);

/// errno as an error_code.
inline std::error_code last_os_error() noexcept {
  return {errno, std::generic_category()};
}

inline std::error_code os_error_code(std::errc value) noexcept {
  return std::make_error_code(value);
}

}  // namespace reprise::blk
