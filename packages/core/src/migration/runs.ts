import type { PageRuns } from '@reprise/differ';

/** The union of lists of runs `[first, count, …]`, ascending and disjoint, whatever their order was. */
export function unionRuns(parts: readonly PageRuns[]): PageRuns {
  const runs: [bigint, bigint][] = [];
  for (const part of parts) {
    for (let i = 0; i + 1 < part.length; i += 2) {
      const [first, count] = [part[i] ?? 0n, part[i + 1] ?? 0n];
      if (count > 0n) runs.push([first, first + count]);
    }
  }
  runs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const merged: [bigint, bigint][] = [];
  for (const [first, end] of runs) {
    const last = merged.at(-1);
    if (last !== undefined && first <= last[1]) last[1] = end > last[1] ? end : last[1];
    else merged.push([first, end]);
  }
  return BigUint64Array.from(merged.flatMap(([first, end]) => [first, end - first]));
}
