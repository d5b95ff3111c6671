#include "error.h"

#include <cerrno>

namespace reprise::blk {

std::string_view code_name(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::kAborted:
      return "ABORTED";
    case ErrorCode::kBaseUnreadable:
      return "BASE_UNREADABLE";
    case ErrorCode::kChainSizeMismatch:
      return "CHAIN_SIZE_MISMATCH";
    case ErrorCode::kChainTooLong:
      return "CHAIN_TOO_LONG";
    case ErrorCode::kDiskClosed:
      return "DISK_CLOSED";
    case ErrorCode::kInvalidArgument:
      return "INVALID_ARGUMENT";
    case ErrorCode::kIoFailed:
      return "IO_FAILED";
    case ErrorCode::kLogCorrupt:
      return "LOG_CORRUPT";
    case ErrorCode::kNoSpace:
      return "NO_SPACE";
    case ErrorCode::kOutOfRange:
      return "OUT_OF_RANGE";
    case ErrorCode::kOverlayBusy:
      return "OVERLAY_BUSY";
    case ErrorCode::kOverlayCorrupt:
      return "OVERLAY_CORRUPT";
    case ErrorCode::kOverlayExists:
      return "OVERLAY_EXISTS";
    case ErrorCode::kOverlayNotClosed:
      return "OVERLAY_NOT_CLOSED";
    case ErrorCode::kOverlayNotFound:
      return "OVERLAY_NOT_FOUND";
    case ErrorCode::kOverlaySealed:
      return "OVERLAY_SEALED";
    case ErrorCode::kOverlayVersion:
      return "OVERLAY_VERSION";
    case ErrorCode::kSocketBusy:
      return "SOCKET_BUSY";
    case ErrorCode::kSocketFailed:
      return "SOCKET_FAILED";
    case ErrorCode::kXenFailed:
      return "XEN_FAILED";
    case ErrorCode::kXenNoDomain:
      return "XEN_NO_DOMAIN";
    case ErrorCode::kXenUnavailable:
      return "XEN_UNAVAILABLE";
  }
  return "IO_FAILED";
}

void check_wanted(const std::stop_token& stop) {
  if (!stop.stop_requested()) return;
  throw Error(ErrorCode::kAborted,
              "The operation was aborted by its caller. Start it again when it is wanted.");
}

void throw_os_error(std::string_view doing, const std::filesystem::path& path, int os_error) {
  const std::string reason = std::generic_category().message(os_error);
  std::string message = "Cannot " + std::string(doing) + " " + path.string() + ": " + reason + ". ";
  if (os_error == ENOSPC || os_error == EDQUOT) {
    throw Error(ErrorCode::kNoSpace, message + "Free space on that file system and try again.",
                path, os_error);
  }
  throw Error(ErrorCode::kIoFailed,
              message + "Check that the path exists and that this user may use it.", path,
              os_error);
}

}  // namespace reprise::blk
