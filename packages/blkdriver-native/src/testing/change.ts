import { DirtyKind } from '../dirty-log.js';
import type { DirtyBatch } from '../dirty-log.js';

/** One block changed once: positive for a write, negative (less one) for a discard. */
export type Change = number;

/** The whole numbers from `first` to before `end`. */
export function consecutive(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/** The log as single changes, oldest first. A record of many blocks was written in ascending order. */
export async function logChanges(log: AsyncIterable<DirtyBatch>): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const batch of log) {
    for (let i = 0; i < batch.length; i++) {
      const first = Number(batch.firstBlocks[i]);
      const blocks = consecutive(first, first + (batch.blockCounts[i] ?? 0));
      if (batch.kinds[i] === DirtyKind.write) changes.push(...blocks);
      if (batch.kinds[i] === DirtyKind.trim) changes.push(...blocks.map((block) => -1 - block));
    }
  }
  return changes;
}
