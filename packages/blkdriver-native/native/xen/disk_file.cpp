#include "xen/disk_file.h"

#include <fstream>
#include <string>

#include "error.h"
#include "xen/xenstore.h"

namespace reprise::blk::xen {
namespace {

constexpr std::size_t kLongestFile = 64 * 1024;

struct Line {
  std::string_view key;
  std::string_view value;
};

Line split(std::string_view line) noexcept {
  const auto space = line.find(' ');
  if (space == std::string_view::npos) return {line, {}};
  return {line.substr(0, space), line.substr(space + 1)};
}

/// False where the value is none for the key, or the key none of ours.
bool apply(const Line& line, DiskFile& file) {
  const std::string_view key = line.key;
  const std::string_view value = line.value;
  const auto path = [&](std::filesystem::path& to) {
    if (!value.starts_with('/') || !to.empty()) return false;
    to = value;
    return true;
  };
  const auto yes_no = [&](bool& to) {
    to = value == "yes";
    return to || value == "no";
  };
  const auto number = [&](auto& to, std::uint64_t most) {
    const auto parsed = parse_number(value, most);
    to = static_cast<std::remove_reference_t<decltype(to)>>(parsed.value_or(0));
    return parsed.has_value();
  };
  VbdFeatures& features = file.features;
  if (key == "base") return path(file.base);
  if (key == "overlay") return path(file.overlay);
  if (key == "layer") return path(file.layers.emplace_back());
  if (key == "read-only") return yes_no(file.read_only);
  if (key == "flush") return yes_no(features.flush_cache);
  if (key == "barriers") return yes_no(features.barriers);
  if (key == "discard") return yes_no(features.discard);
  if (key == "persistent-grants") return yes_no(features.persistent_grants);
  if (key == "indirect-segments") {
    return number(features.indirect_segments, kMostIndirectSegments);
  }
  if (key == "ring-page-order") return number(features.ring_page_order, kMostRingPageOrder);
  return false;
}

}  // namespace

DiskFile parse_disk_file(std::string_view text, const std::filesystem::path& path) {
  DiskFile file;
  const auto refuse = [&](const std::string& what) {
    return Error(ErrorCode::kInvalidArgument,
                 path.string() + ": " + what + ". docs/xen.md says what a disk file holds.", path);
  };
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (line.empty() || line.starts_with('#')) continue;
    if (!apply(split(line), file)) {
      throw refuse("line " + std::to_string(number) + " is not understood");
    }
  }
  if (file.base.empty() || file.overlay.empty()) throw refuse("a base and an overlay are needed");
  return file;
}

DiskFile read_disk_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text(kLongestFile + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (in.bad() || (!in.eof() && in.fail())) throw_os_error("read", path, errno);
  text.resize(static_cast<std::size_t>(in.gcount()));
  if (text.size() > kLongestFile) {
    throw Error(ErrorCode::kInvalidArgument,
                path.string() + " is too long for a disk file. docs/xen.md says what it holds.",
                path);
  }
  return parse_disk_file(text, path);
}

}  // namespace reprise::blk::xen
