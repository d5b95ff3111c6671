import { readRuns, summarize } from '../virtual/results.js';

import type { Methods } from './method-bytes.js';

/** Totals of the benchmark of virtual time by session, from its file of finished runs; none where it has not run. */
export async function virtualTotals(
  file: string,
): Promise<Map<string, NonNullable<Methods['virtual']>>> {
  const runs = await readRuns(file);
  const names = new Set(runs.filter(({ kind }) => kind === 'virtual').map(({ name }) => name));
  return new Map(
    [...names].map((name) => {
      const { bytesTotal, runs: count } = summarize(name, runs);
      return [name, { total: bytesTotal, runs: count }];
    }),
  );
}
