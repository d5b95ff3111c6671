import { BLOCK_SIZE } from '../block.js';
import { DirtyKind } from '../dirty-log.js';
import type { DirtyBatch } from '../dirty-log.js';

/** One block changed once: positive for a write, negative (less one) for a discard. */
export type Change = number;

/** What a guest's block trace says of one stretch of time. */
export interface TracedPhase {
  readonly name: string;
  readonly changes: readonly Change[];
  /** Write requests; each is one change or more. */
  readonly writes: number;
  readonly discards: number;
  readonly flushes: number;
  /** Events that the kernel's buffer had no room for. */
  readonly lost: number;
}

const sectorBytes = 512;

/**
 * Reads what `xen-dom0.ts` wrote: `phase NAME`, then lines of `issue: DEVICE OPERATION SECTOR SECTORS`. A request that
 * found the ring full was requeued, and is issued again later: its first issue did not happen.
 */
export function parseTrace(text: string, device: string): TracedPhase[] {
  return text
    .split(/^phase /m)
    .slice(1)
    .map((part) => {
      const [name = '', ...lines] = part.split('\n');
      const issued: { operation: string; sector: number; sectors: number }[] = [];
      for (const line of lines) {
        const [event, on, operation = '', sector, sectors] = line.split(' ');
        if (on !== device) continue;
        const request = { operation, sector: Number(sector), sectors: Number(sectors) };
        if (event === 'issue:') {
          issued.push(request);
        } else {
          const at = issued.findLastIndex(
            (other) =>
              other.sector === request.sector &&
              other.sectors === request.sectors &&
              other.operation === request.operation,
          );
          if (at >= 0) issued.splice(at, 1);
        }
      }
      // "FWFS" and its like: a flush that was asked for beside a write travels as a request of its own.
      const writes = issued.filter(({ operation }) => /^F?W/.test(operation));
      const discards = issued.filter(({ operation }) => operation.startsWith('D'));
      return {
        name,
        changes: issued.flatMap((request) =>
          /^F?W/.test(request.operation)
            ? touched(request.sector, request.sectors)
            : request.operation.startsWith('D')
              ? inside(request.sector, request.sectors).map((block) => -1 - block)
              : [],
        ),
        writes: writes.length,
        discards: discards.length,
        flushes: issued.filter(({ operation }) => operation.startsWith('FF')).length,
        lost: Number(/overrun: (\d+)/.exec(part)?.[1] ?? NaN),
      };
    });
}

function range(first: number, end: number): number[] {
  return Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

function touched(sector: number, sectors: number): number[] {
  const first = Math.floor((sector * sectorBytes) / BLOCK_SIZE);
  return range(first, Math.ceil(((sector + sectors) * sectorBytes) / BLOCK_SIZE));
}

function inside(sector: number, sectors: number): number[] {
  const first = Math.ceil((sector * sectorBytes) / BLOCK_SIZE);
  return range(first, Math.floor(((sector + sectors) * sectorBytes) / BLOCK_SIZE));
}

/** The log as single changes, oldest first. A record of many blocks was written in ascending order. */
export async function logChanges(log: AsyncIterable<DirtyBatch>): Promise<Change[]> {
  const changes: Change[] = [];
  for await (const batch of log) {
    for (let i = 0; i < batch.length; i++) {
      const first = Number(batch.firstBlocks[i]);
      const blocks = range(first, first + (batch.blockCounts[i] ?? 0));
      if (batch.kinds[i] === DirtyKind.write) changes.push(...blocks);
      if (batch.kinds[i] === DirtyKind.trim) changes.push(...blocks.map((block) => -1 - block));
    }
  }
  return changes;
}

/**
 * How a log may differ from what the guest sent: not at all; by requests that were sent again because the guest was
 * saved before they were carried out; by requests that were carried out again because the backend was killed.
 */
export type Tolerance = 'exact' | 'gap' | 'repeats';

export interface Matched {
  /** Where the phase ends in the log. */
  readonly end: number;
  /** Changes of the guest's that stand in the log at their place. */
  readonly matched: number;
  /** Sent, and not carried out before the guest was saved. */
  readonly skipped: number;
  /** Carried out twice. */
  readonly repeated: number;
}

/** More than a ring can hold. */
const window = 8192;

/**
 * Follows one phase through the log from `start` on.
 *
 * @throws Error at the first change that is out of order
 */
export function matchPhase(
  log: readonly Change[],
  start: number,
  sent: readonly Change[],
  tolerance: Tolerance,
): Matched {
  if (tolerance === 'repeats') return matchRepeats(log, start, sent);
  let same = 0;
  while (same < sent.length && log[start + same] === sent[same]) same++;
  if (same === sent.length) return { end: start + same, matched: same, skipped: 0, repeated: 0 };
  const most = tolerance === 'gap' ? Math.min(window, sent.length - same) : 0;
  for (let skipped = 1; skipped <= most; skipped++) {
    const rest = sent.length - same - skipped;
    let i = 0;
    while (i < rest && log[start + same + i] === sent[same + skipped + i]) i++;
    if (i < rest) continue;
    return { end: start + same + rest, matched: same + rest, skipped, repeated: 0 };
  }
  throw outOfOrder(log, start + same, sent, same);
}

function matchRepeats(log: readonly Change[], start: number, sent: readonly Change[]): Matched {
  let at = start;
  let repeated = 0;
  for (let next = 0; next < sent.length; at++) {
    const change = log[at];
    if (change === sent[next]) next++;
    else if (change !== undefined && sent.slice(Math.max(0, next - window), next).includes(change))
      repeated++;
    else throw outOfOrder(log, at, sent, next);
  }
  return { end: at, matched: sent.length, skipped: 0, repeated };
}

function outOfOrder(
  log: readonly Change[],
  at: number,
  sent: readonly Change[],
  next: number,
): Error {
  const some = (list: readonly Change[], from: number): string =>
    list.slice(Math.max(0, from - 3), from + 5).join(' ');
  return new Error(
    `change ${next} of ${sent.length} is out of order: the guest sent … ${some(sent, next)} …, the log has … ${some(log, at)} … at ${at}`,
  );
}
