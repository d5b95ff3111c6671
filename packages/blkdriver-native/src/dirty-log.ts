import { invalidArgument, settle, throwIfAborted } from './errors.js';
import { addon } from './native.js';
import type { CursorHandle, NativeCursorOptions } from './native.js';

/** What a record of the dirty log says: see docs/formats/dirty-log.md. */
export const DirtyKind = {
  /** The blocks got data. */
  write: 1,
  /** The blocks were set to zeros. */
  zero: 2,
  /** The blocks were discarded; they read as zeros. */
  trim: 3,
  /** A new epoch begins: `firstBlocks` has its number. */
  epoch: 4,
  /** Everything below the sequence in `firstBlocks` is durable. */
  flush: 5,
  /**
   * An earlier mark of the blocks was not carried out (a failed write, a killed
   * driver): they are as the layer below has them. Taking it for a write is safe.
   */
  revert: 6,
} as const;
export type DirtyKind = (typeof DirtyKind)[keyof typeof DirtyKind];

/**
 * Records in the order of the walk, as columns. A record with a count above 1 is
 * a sequential run: its blocks were written in ascending order, so whoever walks
 * backward takes them from the last one down.
 */
export interface DirtyBatch {
  readonly length: number;
  /** Never falling within a log; gaps are where compaction dropped records. */
  readonly sequences: BigUint64Array;
  readonly firstBlocks: BigUint64Array;
  /** 0 for epoch and flush. */
  readonly blockCounts: Uint32Array;
  /** Values of DirtyKind. */
  readonly kinds: Uint8Array;
}

export interface DirtyLogOptions {
  /** Backward starts with the newest record. */
  direction?: 'forward' | 'backward';
  /** First sequence to give, inclusive. */
  fromSequence?: bigint;
  /** Where to stop, exclusive. */
  toSequence?: bigint;
  /** Records in a batch, 1 to 65,536. */
  batchSize?: number;
  signal?: AbortSignal;
}

const largestBatch = 65_536;
const usualBatch = 4096;

/**
 * The dirty log of a sealed or closed overlay. Memory: one batch.
 *
 * @throws BlkError `OVERLAY_NOT_FOUND`, `LOG_CORRUPT`, `ABORTED`
 */
export function readDirtyLog(
  overlayDir: string,
  options: DirtyLogOptions = {},
): AsyncIterable<DirtyBatch> {
  return walk((native) => addon().openLog(overlayDir, native), options);
}

/** Iterates over whatever `open` gives; each iteration starts a new walk. */
export function walk(
  open: (options: NativeCursorOptions) => Promise<CursorHandle>,
  options: DirtyLogOptions,
): AsyncIterable<DirtyBatch> {
  const { direction = 'forward', batchSize = usualBatch, signal } = options;
  if (!Number.isInteger(batchSize) || batchSize < 1 || batchSize > largestBatch) {
    throw invalidArgument(`A batch has 1 to ${largestBatch} records. Choose a size in between.`, {
      batchSize,
    });
  }
  async function* batches(): AsyncGenerator<DirtyBatch, void, undefined> {
    throwIfAborted(signal);
    const cursor = await settle(
      open({
        backward: direction === 'backward',
        fromSequence: options.fromSequence,
        toSequence: options.toSequence,
      }),
    );
    for (;;) {
      throwIfAborted(signal);
      const batch = await settle(addon().cursorNext(cursor, batchSize));
      if (batch === null) return;
      yield batch;
    }
  }
  return { [Symbol.asyncIterator]: batches };
}
