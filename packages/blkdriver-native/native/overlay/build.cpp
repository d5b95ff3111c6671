#include "overlay/build.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>

#include "error.h"
#include "overlay/staged_overlay.h"
#include "platform/file.h"

namespace reprise::blk {
namespace {

constexpr std::uint64_t kSectorSize = 512;

void check_size(std::uint64_t size_bytes, const std::filesystem::path& dir) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 55;
  if (size_bytes == 0 || size_bytes % kSectorSize != 0 || size_bytes > kLargest) {
    throw Error(ErrorCode::kInvalidArgument,
                "A disk of " + std::to_string(size_bytes) +
                    " bytes cannot be made. Give a positive multiple of 512.",
                dir);
  }
}

/// Fills the presence map and returns it durable.
void write_presence(const std::filesystem::path& dir, std::uint64_t size_bytes,
                    std::span<const std::pair<BlockRange, BlockState>> runs) {
  PresenceMap map = PresenceMap::create(presence_path(dir), blocks_for(size_bytes));
  for (const auto& [range, state] : runs) {
    if (auto error = map.prepare(range)) throw_os_error("extend", dir, error.value());
    map.set(range, state);
  }
  if (auto error = map.sync()) throw_os_error("flush", dir, error.value());
}

void check_runs(std::span<const BlockRange> runs, std::uint64_t blocks,
                const std::filesystem::path& dir) {
  std::uint64_t end = 0;
  for (const BlockRange& run : runs) {
    if (run.count == 0 || run.first < end || run.count > blocks || run.first > blocks - run.count) {
      throw Error(ErrorCode::kInvalidArgument,
                  "The block runs for " + dir.string() +
                      " overlap, are out of order, or leave the disk. Give [first, count, ...], "
                      "ascending and disjoint.",
                  dir);
    }
    end = run.end();
  }
}

/// The caller's data file inside an overlay that is being made: moved where that can be,
/// else copied. It is the caller's again unless the overlay is committed.
class AdoptedDataFile {
 public:
  AdoptedDataFile(const std::filesystem::path& from, const std::filesystem::path& dir,
                  std::uint64_t size_bytes, const std::stop_token& stop)
      : from_(from), to_(data_path(dir)) {
    moved_ = ::rename(from_.c_str(), to_.c_str()) == 0;
    if (moved_) return;
    if (errno != EXDEV) throw_os_error("move", from_, errno);
    const UniqueFd source = open_file(from_, O_RDONLY);
    const UniqueFd target = create_data_file(dir, size_bytes);
    copy_data(source.get(), target.get(), 0, file_size(source.get(), from_), to_, stop);
  }
  AdoptedDataFile(const AdoptedDataFile&) = delete;
  AdoptedDataFile& operator=(const AdoptedDataFile&) = delete;
  ~AdoptedDataFile() {
    if (moved_ && !committed_) (void)::rename(to_.c_str(), from_.c_str());
  }

  void make_durable(std::uint64_t size_bytes) const {
    const UniqueFd data = open_file(to_, O_RDWR);
    resize(data.get(), blocks_for(size_bytes) * kBlockSize, to_);
    if (auto error = sync_data(data.get())) throw_os_error("flush", to_, error.value());
  }
  void committed() {
    committed_ = true;
    std::error_code ignored;  // the overlay stands; a copy that stays costs space only
    if (!moved_) std::filesystem::remove(from_, ignored);
  }

 private:
  const std::filesystem::path from_;
  const std::filesystem::path to_;
  bool moved_ = false;
  bool committed_ = false;
};

}  // namespace

void create_overlay(const std::filesystem::path& dir, std::uint64_t size_bytes,
                    const std::stop_token& stop) {
  check_size(size_bytes, dir);
  StagedDirectory staged(dir);
  create_data_file(staged.path(), size_bytes);
  write_presence(staged.path(), size_bytes, {});
  write_header(staged.path(), size_bytes, OverlayState::kClosed, random_salt());
  check_wanted(stop);
  staged.commit();
}

void seal_overlay_from(const std::filesystem::path& dir, std::uint64_t size_bytes,
                       const std::filesystem::path& data_file, std::span<const BlockRange> runs,
                       const std::stop_token& stop) {
  check_size(size_bytes, dir);
  const std::uint64_t blocks = blocks_for(size_bytes);
  check_runs(runs, blocks, dir);
  StagedDirectory staged(dir);
  const std::uint64_t salt = random_salt();
  std::vector<std::pair<BlockRange, BlockState>> states;
  states.reserve(runs.size());
  for (const BlockRange& run : runs) states.emplace_back(run, BlockState::kData);
  write_presence(staged.path(), size_bytes, states);
  {
    const auto log =
        DirtyLog::open(staged.path(), {.salt = salt, .block_count = blocks}, Trust::kEverything);
    for (const BlockRange& run : runs) {
      DirtyLog::Ticket ticket;
      if (auto error = log->mark(RecordKind::kWrite, run.first, run.count, ticket)) {
        throw_os_error("extend the dirty log of", dir, error.value());
      }
      log->complete(ticket);
    }
    if (auto error = log->flush([] { return std::error_code{}; })) {
      throw_os_error("flush the dirty log of", dir, error.value());
    }
  }
  write_header(staged.path(), size_bytes, OverlayState::kSealed, salt);
  check_wanted(stop);
  AdoptedDataFile data(data_file, staged.path(), size_bytes, stop);
  data.make_durable(size_bytes);
  check_wanted(stop);
  staged.commit();
  data.committed();
}

}  // namespace reprise::blk
