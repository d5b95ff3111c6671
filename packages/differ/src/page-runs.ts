import type { PageRuns, Space } from './image.js';

export const NO_RUNS: PageRuns = new BigUint64Array(0);

export function countPages(runs: PageRuns): number {
  let pages = 0n;
  for (let i = 1; i < runs.length; i += 2) pages += runs[i] ?? 0n;
  return Number(pages);
}

/** Puts lists of runs one behind another; a run that goes on over the seam becomes one. */
export function joinRuns(parts: readonly PageRuns[]): PageRuns {
  const out = new BigUint64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let length = 0;
  for (const part of parts) {
    for (let i = 0; i + 1 < part.length; i += 2) {
      const first = part[i] ?? 0n;
      const count = part[i + 1] ?? 0n;
      const lastFirst = out[length - 2] ?? 0n;
      const lastCount = out[length - 1] ?? 0n;
      if (length > 0 && lastFirst + lastCount === first) {
        out[length - 1] = lastCount + count;
      } else {
        out[length++] = first;
        out[length++] = count;
      }
    }
  }
  return out.slice(0, length);
}

/** A page and its space in one number, as the native kernels know it. */
export function packLocation(space: Space, page: bigint): bigint {
  return (page << 1n) | (space === 'disk' ? 1n : 0n);
}

/** Every page of the runs as a packed location, those at or beyond `limit` left out. */
export function expandRuns(space: Space, runs: PageRuns, limit: number): BigUint64Array {
  const out = new BigUint64Array(countPages(runs));
  let length = 0;
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const first = runs[i] ?? 0n;
    const end = first + (runs[i + 1] ?? 0n);
    for (let page = first; page < end && page < BigInt(limit); page++) {
      out[length++] = packLocation(space, page);
    }
  }
  return out.subarray(0, length);
}

/** Answers "is this page in the runs?" in O(log runs). */
export function runsContain(runs: PageRuns, page: bigint): boolean {
  let low = 0;
  let high = runs.length / 2;
  while (low < high) {
    const middle = (low + high) >> 1;
    const first = runs[middle * 2] ?? 0n;
    if (page < first) high = middle;
    else if (page >= first + (runs[middle * 2 + 1] ?? 0n)) low = middle + 1;
    else return true;
  }
  return false;
}
