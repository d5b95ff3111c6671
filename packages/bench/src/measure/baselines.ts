import { byteClasses, type ByteTotals } from '@reprise/core';

import {
  measureFullCopy,
  measureRsync,
  type StateFiles,
  type StateTraffic,
} from '../baseline/index.js';

import type { MeasureOptions, Measurement, Method } from './measurement.js';

/** Of memory; a block of this size is what a program that knows of pages would choose. */
const PAGE_BYTES = 4096;

export interface BaselineOptions extends MeasureOptions {
  /** Which of them; what is not of other people's tools is passed over. */
  readonly methods: readonly Method[];
}

interface Baseline {
  readonly method: Method;
  readonly title: string;
  readonly measure: () => Promise<StateTraffic>;
}

/** What other people's tools send to bring `base` to `target`. `directory`: room for a copy. */
export async function measureBaselines(
  base: StateFiles,
  target: StateFiles,
  directory: string,
  { methods, signal, onProgress }: BaselineOptions,
): Promise<readonly Measurement[]> {
  const options = signal === undefined ? {} : { signal };
  const baselines: readonly Baseline[] = [
    {
      method: 'full-copy',
      title: 'a full copy through zstd',
      measure: () => measureFullCopy(target, options),
    },
    {
      method: 'rsync',
      title: 'rsync -z',
      measure: () => measureRsync(base, target, { directory, ...options }),
    },
    {
      method: 'rsync-pages',
      title: 'rsync -z --block-size=4096 for RAM',
      measure: () =>
        measureRsync(base, target, { directory, ramBlockBytes: PAGE_BYTES, ...options }),
    },
  ];
  const measured: Measurement[] = [];
  for (const { method, title, measure } of baselines) {
    if (!methods.includes(method)) continue;
    onProgress(`measuring ${title}`);
    measured.push({ method, ...(await timed(measure)) });
  }
  return measured;
}

async function timed(
  measure: () => Promise<StateTraffic>,
): Promise<{ readonly bytes: ByteTotals; readonly seconds: number }> {
  const startedMs = performance.now();
  const bytes = inClasses(await measure());
  return { bytes, seconds: (performance.now() - startedMs) / 1000 };
}

/** In the classes that reprise counts in: other tools know only of files. */
function inClasses({ total, sent, received, byPart }: StateTraffic): ByteTotals {
  const parts: Partial<Record<string, { sent: number; received: number }>> = byPart;
  const byClass = Object.fromEntries(
    byteClasses.map((name) => [
      name,
      { sent: parts[name]?.sent ?? 0, received: parts[name]?.received ?? 0 },
    ]),
  ) as ByteTotals['byClass'];
  return { total, sent, received, byClass };
}
