import { BLOCK_SIZE } from '../block.js';
import { consecutive } from './change.js';
import type { Change } from './change.js';

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

function touched(sector: number, sectors: number): number[] {
  const first = Math.floor((sector * sectorBytes) / BLOCK_SIZE);
  return consecutive(first, Math.ceil(((sector + sectors) * sectorBytes) / BLOCK_SIZE));
}

function inside(sector: number, sectors: number): number[] {
  const first = Math.ceil((sector * sectorBytes) / BLOCK_SIZE);
  return consecutive(first, Math.floor(((sector + sectors) * sectorBytes) / BLOCK_SIZE));
}
