import { latestResults, readResults } from '../virtual/results.js';
import { summarize } from '../virtual/summary.js';

import type { Methods } from './method-bytes.js';

/** Totals of the benchmark of virtual time by session, from its file of finished runs; none where it has not run. */
export async function virtualTotals(
  file: string,
): Promise<Map<string, NonNullable<Methods['virtual']>>> {
  const lines = latestResults(await readResults(file));
  const names = new Set(lines.map(({ session }) => session));
  return new Map(
    [...names].flatMap((name) => {
      const summary = summarize(name, lines);
      return summary === undefined
        ? []
        : [[name, { total: summary.bytesTotal, runs: summary.runs }] as const];
    }),
  );
}
