import { createHmac } from 'node:crypto';

import { BLOCK_SIZE, DirtyKind, type VirtualDisk } from '@reprise/blkdriver-native';

/** A digest of a block, to find equal ones: keyed, and short, since nothing but bytes hangs on it. */
export const BLOCK_DIGEST_BYTES = 4;

/** Blocks that a guest wrote, ascending, each once, as they read now. */
export interface WrittenBlocks {
  readonly blocks: readonly number[];
  /** {@link BLOCK_DIGEST_BYTES} each, in the order of `blocks`. */
  readonly digests: Uint8Array;
  /** Where the dirty log goes on: for the next call. */
  readonly nextSequence: bigint;
}

/** The first bytes of HMAC-SHA-256 of a block. */
export function blockDigest(key: Uint8Array, block: Uint8Array): Uint8Array {
  return createHmac('sha256', key).update(block).digest().subarray(0, BLOCK_DIGEST_BYTES);
}

/** What {@link blockDigests} reads of: a disk in use, or a view of one. */
interface ReadsBytes {
  read(offsetBytes: bigint, lengthBytes: number): Promise<Uint8Array>;
}

/** The most that is read at once: a mebibyte. */
const MOST_READ = 256;

/**
 * {@link blockDigest} of each block, one after the other. Blocks that follow each other are read together.
 * @param blocks ascending
 */
export async function blockDigests(
  disk: ReadsBytes,
  key: Uint8Array,
  blocks: readonly number[],
): Promise<Uint8Array> {
  const digests = new Uint8Array(blocks.length * BLOCK_DIGEST_BYTES);
  for (let at = 0, end: number; at < blocks.length; at = end) {
    const first = blocks[at] ?? 0;
    end = at + 1;
    while (end - at < MOST_READ && blocks[end] === first + end - at) end++;
    const data = await disk.read(BigInt(first) * BigInt(BLOCK_SIZE), (end - at) * BLOCK_SIZE);
    for (let i = at; i < end; i++) {
      const block = data.subarray((i - at) * BLOCK_SIZE, (i - at + 1) * BLOCK_SIZE);
      digests.set(blockDigest(key, block), i * BLOCK_DIGEST_BYTES);
    }
  }
  return digests;
}

/**
 * What the dirty log tells from `fromSequence` on, while the guest goes on writing. At most about `atMost` blocks:
 * the rest comes with the next call. A block is marked before its data is written, and may have been read in between: what
 * was told last is told once more, by what it holds by now.
 * @param againFrom the `fromSequence` of the call before
 */
export async function writtenBlocks(
  disk: VirtualDisk,
  o: {
    readonly key: Uint8Array;
    readonly againFrom: bigint;
    readonly fromSequence: bigint;
    readonly atMost: number;
  },
): Promise<WrittenBlocks> {
  const again = new Set<number>();
  const seen = new Set<number>();
  let nextSequence = o.fromSequence;
  const log = disk.dirtyLog({ fromSequence: o.againFrom, batchSize: 256 });
  walk: for await (const batch of log) {
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i];
      const sequence = batch.sequences[i] ?? nextSequence;
      if (sequence >= o.fromSequence) nextSequence = sequence + 1n;
      if (kind === DirtyKind.epoch || kind === DirtyKind.flush) continue;
      const first = Number(batch.firstBlocks[i]);
      const count = batch.blockCounts[i] ?? 0;
      const told = sequence < o.fromSequence ? again : seen;
      for (let block = first; block < first + count; block++) told.add(block);
      if (seen.size >= o.atMost) break walk;
    }
  }
  const blocks = [...new Set([...again, ...seen])].sort((a, b) => a - b);
  return { blocks, digests: await blockDigests(disk, o.key, blocks), nextSequence };
}
