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

/**
 * What the dirty log tells from `fromSequence` on, while the guest goes on writing. At most about `atMost` blocks:
 * the rest comes with the next call.
 */
export async function writtenBlocks(
  disk: VirtualDisk,
  o: { readonly key: Uint8Array; readonly fromSequence: bigint; readonly atMost: number },
): Promise<WrittenBlocks> {
  const seen = new Set<number>();
  let nextSequence = o.fromSequence;
  const log = disk.dirtyLog({ fromSequence: o.fromSequence, batchSize: 256 });
  walk: for await (const batch of log) {
    for (let i = 0; i < batch.length; i++) {
      const kind = batch.kinds[i];
      nextSequence = (batch.sequences[i] ?? nextSequence) + 1n;
      if (kind === DirtyKind.epoch || kind === DirtyKind.flush) continue;
      const first = Number(batch.firstBlocks[i]);
      const count = batch.blockCounts[i] ?? 0;
      for (let block = first; block < first + count; block++) seen.add(block);
      if (seen.size >= o.atMost) break walk;
    }
  }
  const blocks = [...seen].sort((a, b) => a - b);
  const digests = new Uint8Array(blocks.length * BLOCK_DIGEST_BYTES);
  for (const [i, block] of blocks.entries()) {
    const data = await disk.read(BigInt(block) * BigInt(BLOCK_SIZE), BLOCK_SIZE);
    digests.set(blockDigest(o.key, data), i * BLOCK_DIGEST_BYTES);
  }
  return { blocks, digests, nextSequence };
}
