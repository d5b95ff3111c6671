import { byteClasses, type ByteTotals } from '@reprise/core';

import {
  measureFullCopy,
  measureRsync,
  type StateFiles,
  type StateTraffic,
} from '../baseline/index.js';

import type { MeasureOptions, Measurement } from './measurement.js';

/** Of memory; a block of this size is what a program that knows of pages would choose. */
const PAGE_BYTES = 4096;

/** What other people's tools send to bring `base` to `target`. `directory`: room for a copy. */
export async function measureBaselines(
  base: StateFiles,
  target: StateFiles,
  directory: string,
  { signal, onProgress }: MeasureOptions,
): Promise<readonly Measurement[]> {
  const options = signal === undefined ? {} : { signal };
  onProgress('measuring a full copy through zstd');
  const fullCopy = await timed(() => measureFullCopy(target, options));
  onProgress('measuring rsync -z');
  const rsync = await timed(() => measureRsync(base, target, { directory, ...options }));
  onProgress('measuring rsync -z --block-size=4096 for RAM');
  const byPages = await timed(() =>
    measureRsync(base, target, { directory, ramBlockBytes: PAGE_BYTES, ...options }),
  );
  return [
    { method: 'full-copy', ...fullCopy },
    { method: 'rsync', ...rsync },
    { method: 'rsync-pages', ...byPages },
  ];
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
