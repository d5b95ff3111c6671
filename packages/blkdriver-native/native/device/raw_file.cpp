#include "device/raw_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "error.h"

namespace reprise::blk {

RawFile RawFile::open(const std::filesystem::path& path) {
  try {
    UniqueFd fd = open_file(path, O_RDONLY);
    struct stat status {};
    if (::fstat(fd.get(), &status) < 0) throw_os_error("examine", path, errno);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode)) {
      throw Error(ErrorCode::kBaseUnreadable,
                  "The base image " + path.string() +
                      " is neither a file nor a block device. Give the path of a raw image.",
                  path);
    }
    const std::uint64_t size = file_size(fd.get(), path);
    return RawFile(path, std::move(fd), size);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kIoFailed) throw;
    throw Error(ErrorCode::kBaseUnreadable,
                "The base image cannot be read. " + std::string(error.what()), path,
                error.os_error());
  }
}

}  // namespace reprise::blk
