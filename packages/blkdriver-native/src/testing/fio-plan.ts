import { BLOCK_SIZE } from '../block.js';
import { consecutive } from './change.js';
import type { Change } from './change.js';

/** The changes of one request, in their order. */
export type Request = readonly Change[];

/** What an iolog of fio's (version 3) says was asked for, without flushes. */
export function requestsOf(iolog: string): Request[] {
  return [...iolog.matchAll(/ (write|trim) (\d+) (\d+)$/gm)].map(([, kind, offset, length]) => {
    const first = Number(offset) / BLOCK_SIZE;
    const blocks = consecutive(first, first + Number(length) / BLOCK_SIZE);
    return kind === 'write' ? blocks : blocks.map((block) => -1 - block);
  });
}

const blockOf = (change: Change): number => (change < 0 ? -1 - change : change);

/** The slow, obvious model of compaction: each block's last change, in the order of those. */
export function lastChanges(changes: readonly Change[]): Change[] {
  const last = new Map<number, Change>();
  for (const change of changes) {
    last.delete(blockOf(change));
    last.set(blockOf(change), change);
  }
  return [...last.values()];
}

/**
 * How many of the requests a log has, from the first on, where it has them in their order and, once compaction may have
 * dropped what was written over, each block's last change at its place. Undefined where it is no such log.
 */
export function prefixInOrder(
  log: readonly Change[],
  requests: readonly Request[],
): number | undefined {
  const found = lastChanges(log);
  const newest = found.at(-1);
  if (newest === undefined) return 0;
  const soFar: Change[] = [];
  for (const [i, request] of requests.entries()) {
    soFar.push(...request);
    if (request.at(-1) !== newest) continue;
    const expected = lastChanges(soFar);
    if (expected.length === found.length && expected.every((change, at) => change === found[at])) {
      return i + 1;
    }
  }
  return undefined;
}
