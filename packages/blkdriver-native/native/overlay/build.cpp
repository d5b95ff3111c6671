#include "overlay/build.h"

#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "error.h"
#include "log/compaction.h"
#include "overlay/layer_map.h"
#include "platform/file.h"

namespace reprise::blk {
namespace {

constexpr std::uint64_t kSectorSize = 512;

std::uint64_t random_salt() {
  const Identifier id = random_identifier();
  std::uint64_t salt;
  std::memcpy(&salt, id.data(), sizeof salt);
  return salt | 1;  // 0 stands for "no segment header yet"
}

/// A directory that becomes `target` in one step, or is removed.
class StagedDirectory {
 public:
  explicit StagedDirectory(const std::filesystem::path& target) : target_(target) {
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
  StagedDirectory(const StagedDirectory&) = delete;
  StagedDirectory& operator=(const StagedDirectory&) = delete;
  ~StagedDirectory() {
    std::error_code ignored;  // after commit() there is nothing left to remove
    std::filesystem::remove_all(staged_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return staged_; }

  void commit() {
    sync_directory(staged_);
    if (::rename(staged_.c_str(), target_.c_str()) < 0) throw_os_error("create", target_, errno);
    const auto parent = std::filesystem::absolute(target_).lexically_normal().parent_path();
    sync_directory(parent);
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path staged_;
};

void check_size(std::uint64_t size_bytes, const std::filesystem::path& dir) {
  constexpr std::uint64_t kLargest = std::uint64_t{1} << 55;
  if (size_bytes == 0 || size_bytes % kSectorSize != 0 || size_bytes > kLargest) {
    throw Error(ErrorCode::kInvalidArgument,
                "A disk of " + std::to_string(size_bytes) +
                    " bytes cannot be made. Give a positive multiple of 512.",
                dir);
  }
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

void move_data_file(const std::filesystem::path& from, const std::filesystem::path& dir,
                    std::uint64_t size_bytes) {
  const auto to = data_path(dir);
  if (::rename(from.c_str(), to.c_str()) < 0) {
    if (errno != EXDEV) throw_os_error("move", from, errno);
    const UniqueFd source = open_file(from, O_RDONLY);
    const UniqueFd target = create_data_file(dir, size_bytes);
    const std::uint64_t end = file_size(source.get(), from);
    for (std::uint64_t at = 0; at < end;) {
      const FileExtent extent = extent_at(source.get(), at, end - at);
      if (extent.data) copy_range(source.get(), target.get(), at, extent.length, to);
      at += extent.length;
    }
    std::filesystem::remove(from);
  }
  const UniqueFd data = open_file(to, O_RDWR);
  resize(data.get(), blocks_for(size_bytes) * kBlockSize, to);
  if (auto error = sync_data(data.get())) throw_os_error("flush", to, error.value());
}

}  // namespace

void create_overlay(const std::filesystem::path& dir, std::uint64_t size_bytes) {
  check_size(size_bytes, dir);
  StagedDirectory staged(dir);
  create_data_file(staged.path(), size_bytes);
  write_presence(staged.path(), size_bytes, {});
  write_header(staged.path(), size_bytes, OverlayState::kClosed, random_salt());
  staged.commit();
}

void seal_overlay_from(const std::filesystem::path& dir, std::uint64_t size_bytes,
                       const std::filesystem::path& data_file, std::span<const BlockRange> runs) {
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
  move_data_file(data_file, staged.path(), size_bytes);
  write_header(staged.path(), size_bytes, OverlayState::kSealed, salt);
  staged.commit();
}

void merge_overlays(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& paths) {
  if (paths.empty() || paths.size() > LayerMap::kMostLayers) {
    throw Error(ErrorCode::kChainTooLong,
                "Between 1 and 64 overlays can be merged at once, not " +
                    std::to_string(paths.size()) + ". Merge in steps.",
                dir);
  }
  std::vector<Overlay> layers;
  for (const auto& path : paths) layers.push_back(Overlay::open_sealed(path));
  const std::uint64_t size_bytes = layers.front().size_bytes();
  const std::uint64_t blocks = blocks_for(size_bytes);
  for (const Overlay& layer : layers) {
    if (layer.size_bytes() == size_bytes) continue;
    throw Error(ErrorCode::kChainSizeMismatch,
                layer.path().string() +
                    " belongs to a disk of another size. Merge layers of one "
                    "disk.",
                layer.path());
  }

  StagedDirectory staged(dir);
  const std::uint64_t salt = random_salt();
  const LayerMap map(layers, blocks);
  const UniqueFd data = create_data_file(staged.path(), size_bytes);
  PresenceMap presence = PresenceMap::create(presence_path(staged.path()), blocks);
  for (std::uint64_t block = 0; block < blocks;) {
    const std::uint8_t place = map[block];
    const BlockRange run{block, map.run_length(block, blocks - block)};
    block = run.end();
    if (place == LayerMap::kBase) continue;
    if (auto error = presence.prepare(run)) throw_os_error("extend", dir, error.value());
    if (place == LayerMap::kZero) {
      presence.set(run, BlockState::kZero);
      continue;
    }
    const int from = layers[place - 1u].data_fd();
    const std::uint64_t end = run.end() * kBlockSize;
    for (std::uint64_t at = run.offset_bytes(); at < end;) {
      const FileExtent extent = extent_at(from, at, end - at);
      if (extent.data) copy_range(from, data.get(), at, extent.length, data_path(dir));
      at += extent.length;
    }
    presence.set(run, BlockState::kData);
  }
  if (auto error = sync_data(data.get())) throw_os_error("flush", dir, error.value());
  if (auto error = presence.sync()) throw_os_error("flush", dir, error.value());

  std::vector<SegmentView> segments;
  for (const Overlay& layer : layers) {
    for (auto& view : open_segments(layer.path(), LogAccess::kReadOnly)) {
      segments.push_back(std::move(view));
    }
  }
  write_compacted(segments, blocks, {.first_sequence = 1, .epoch = 0, .salt = salt},
                  Numbering::kFresh, segment_path(staged.path(), 0, true));
  write_header(staged.path(), size_bytes, OverlayState::kSealed, salt);
  staged.commit();
}

std::vector<BlockRange> held_blocks(const std::vector<std::filesystem::path>& paths) {
  std::vector<Overlay> layers;
  for (const auto& path : paths) layers.push_back(Overlay::open_sealed(path));
  std::vector<BlockRange> runs;
  if (layers.empty()) return runs;
  const std::uint64_t blocks = layers.front().block_count();
  for (const Overlay& layer : layers) {
    if (layer.block_count() != blocks) {
      throw Error(ErrorCode::kChainSizeMismatch,
                  layer.path().string() +
                      " belongs to a disk of another size. Ask about layers "
                      "of one disk.",
                  layer.path());
    }
  }
  const LayerMap map(layers, blocks);
  for (std::uint64_t block = 0; block < blocks;) {
    const std::uint64_t length = map.run_length(block, blocks - block);
    if (map[block] != LayerMap::kBase) {
      if (!runs.empty() && runs.back().end() == block) {
        runs.back().count += length;
      } else {
        runs.push_back({block, length});
      }
    }
    block += length;
  }
  return runs;
}

}  // namespace reprise::blk
