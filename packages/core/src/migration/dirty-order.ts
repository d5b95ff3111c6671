import { DirtyKind, readDirtyLog, type BlockRuns } from '@reprise/blkdriver-native';

/**
 * The blocks that a chain of sessions dirtied, each once, the last written first. A replay regenerates
 * the oldest writes first, so shipping from the other end meets it in the middle; and the last write to
 * a block is its final value.
 *
 * Memory: one bit a block of the disk, and the runs.
 *
 * @param overlays sealed overlays, oldest first
 */
export async function lastWrittenFirst(
  overlays: readonly string[],
  diskBytes: bigint,
  signal?: AbortSignal,
): Promise<BlockRuns> {
  const seen = new Uint8Array(Number((diskBytes / 4096n + 7n) / 8n));
  const runs: bigint[] = [];
  for (const overlay of overlays.toReversed()) {
    const log = readDirtyLog(overlay, {
      direction: 'backward',
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const batch of log) {
      for (let i = 0; i < batch.length; i++) {
        const kind = batch.kinds[i];
        if (kind !== DirtyKind.write && kind !== DirtyKind.zero && kind !== DirtyKind.trim)
          continue;
        addUnseen(runs, seen, Number(batch.firstBlocks[i]), batch.blockCounts[i] ?? 0);
      }
    }
  }
  return BigUint64Array.from(runs);
}

/** Appends the blocks of one entry that no later entry has written, as runs. */
function addUnseen(runs: bigint[], seen: Uint8Array, first: number, count: number): void {
  let start = -1;
  for (let block = first; block <= first + count; block++) {
    const byte = block >> 3;
    const bit = 1 << (block & 7);
    const fresh = block < first + count && ((seen[byte] ?? 0xff) & bit) === 0;
    if (fresh) {
      seen[byte] = (seen[byte] ?? 0) | bit;
      if (start < 0) start = block;
    } else if (start >= 0) {
      runs.push(BigInt(start), BigInt(block - start));
      start = -1;
    }
  }
}
