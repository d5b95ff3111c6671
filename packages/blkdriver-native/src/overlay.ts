import { checkRuns, checkSize } from './arguments.js';
import type { BlockRuns } from './block.js';
import { settle } from './errors.js';
import { addon } from './native.js';

/**
 * Creates an empty overlay in `dir`, which must not exist or be an empty
 * directory. Durable, and there as a whole or not at all.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `NO_SPACE`, `INVALID_ARGUMENT`
 */
export async function createOverlay(dir: string, o: { sizeBytes: bigint }): Promise<void> {
  checkSize(o.sizeBytes);
  await settle(addon().createOverlay(dir, o.sizeBytes));
}

/**
 * Makes a sealed overlay out of a sparse data file whose blocks stand at their
 * disk offsets. Moves `dataFile` into `dir` (copies it where it is on another
 * file system). Its dirty log has one mark a run.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `NO_SPACE`, `INVALID_ARGUMENT`
 */
export async function sealOverlayFrom(
  dir: string,
  o: { sizeBytes: bigint; dataFile: string; blocks: BlockRuns },
): Promise<void> {
  checkSize(o.sizeBytes);
  checkRuns(o.blocks, o.sizeBytes);
  await settle(addon().sealOverlayFrom(dir, o.sizeBytes, o.dataFile, o.blocks));
}

/**
 * Makes one sealed overlay in `dir` that reads like `layers` stacked, oldest
 * first. Its dirty log keeps each block's last mark, in the order of those.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `OVERLAY_NOT_CLOSED`, `CHAIN_SIZE_MISMATCH`, `NO_SPACE`
 */
export async function mergeOverlays(dir: string, layers: readonly string[]): Promise<void> {
  await settle(addon().mergeOverlays(dir, layers));
}

/**
 * The blocks that `layers` hold (their union), discarded ones too.
 *
 * @throws BlkError `OVERLAY_NOT_FOUND`, `OVERLAY_NOT_CLOSED`, `CHAIN_SIZE_MISMATCH`
 */
export async function overlayBlocks(layers: readonly string[]): Promise<BlockRuns> {
  return settle(addon().overlayBlocks(layers));
}
