import { checkRuns, checkSize } from './arguments.js';
import type { BlockRuns } from './block.js';
import { settleUnlessAborted } from './cancellation.js';
import { addon } from './native.js';

/** Stops the work: what was begun is taken back, and the caller's files are as they were. */
export interface OverlayOptions {
  signal?: AbortSignal;
}

/**
 * Creates an empty overlay in `dir`, which must not exist or be an empty
 * directory. Durable, and there as a whole or not at all.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `NO_SPACE`, `INVALID_ARGUMENT`, `ABORTED`
 */
export async function createOverlay(
  dir: string,
  o: OverlayOptions & { sizeBytes: bigint },
): Promise<void> {
  checkSize(o.sizeBytes);
  await settleUnlessAborted(o.signal, (cancellation) =>
    addon().createOverlay(dir, o.sizeBytes, cancellation),
  );
}

/**
 * Makes a sealed overlay out of a sparse data file whose blocks stand at their
 * disk offsets. Moves `dataFile` into `dir` (copies it where it is on another
 * file system); if that fails it stays where it was. Its dirty log has one mark a run.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `NO_SPACE`, `INVALID_ARGUMENT`, `ABORTED`
 */
export async function sealOverlayFrom(
  dir: string,
  o: OverlayOptions & { sizeBytes: bigint; dataFile: string; blocks: BlockRuns },
): Promise<void> {
  checkSize(o.sizeBytes);
  checkRuns(o.blocks, o.sizeBytes);
  await settleUnlessAborted(o.signal, (cancellation) =>
    addon().sealOverlayFrom(dir, o.sizeBytes, o.dataFile, o.blocks, cancellation),
  );
}

/**
 * Makes one sealed overlay in `dir` that reads like `layers` stacked, oldest
 * first. Its dirty log keeps each block's last mark, in the order of those.
 *
 * @throws BlkError `OVERLAY_EXISTS`, `OVERLAY_NOT_CLOSED`, `CHAIN_SIZE_MISMATCH`, `NO_SPACE`, `ABORTED`
 */
export async function mergeOverlays(
  dir: string,
  layers: readonly string[],
  o: OverlayOptions = {},
): Promise<void> {
  await settleUnlessAborted(o.signal, (cancellation) =>
    addon().mergeOverlays(dir, layers, cancellation),
  );
}

/**
 * The blocks that `layers` hold (their union), discarded ones too.
 *
 * @throws BlkError `OVERLAY_NOT_FOUND`, `OVERLAY_NOT_CLOSED`, `CHAIN_SIZE_MISMATCH`, `ABORTED`
 */
export async function overlayBlocks(
  layers: readonly string[],
  o: OverlayOptions = {},
): Promise<BlockRuns> {
  return settleUnlessAborted(o.signal, (cancellation) =>
    addon().overlayBlocks(layers, cancellation),
  );
}
