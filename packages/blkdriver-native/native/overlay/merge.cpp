#include "error.h"
#include "log/compaction.h"
#include "overlay/build.h"
#include "overlay/layer_map.h"
#include "overlay/staged_overlay.h"
#include "platform/file.h"

namespace reprise::blk {

void merge_overlays(const std::filesystem::path& dir,
                    const std::vector<std::filesystem::path>& paths, const std::stop_token& stop) {
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
    check_wanted(stop);
    const std::uint8_t place = map[block];
    const BlockRange run{block, map.run_length(block, blocks - block)};
    block = run.end();
    if (place == LayerMap::kBase) continue;
    if (auto error = presence.prepare(run)) throw_os_error("extend", dir, error.value());
    if (place == LayerMap::kZero) {
      presence.set(run, BlockState::kZero);
      continue;
    }
    copy_data(layers[place - 1u].data_fd(), data.get(), run.offset_bytes(), run.end() * kBlockSize,
              data_path(dir), stop);
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
                  Numbering::kFresh, segment_path(staged.path(), 0, true), stop);
  write_header(staged.path(), size_bytes, OverlayState::kSealed, salt);
  check_wanted(stop);
  staged.commit();
}

std::vector<BlockRange> held_blocks(const std::vector<std::filesystem::path>& paths,
                                    const std::stop_token& stop) {
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
    check_wanted(stop);
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
