import { join } from 'node:path';

import { migrate, type MigrationReport } from '@reprise/core';

import {
  copyDirectory,
  createScratchDirectory,
  sameState,
  serveReceiver,
  snapshotFiles,
  type SeededPair,
} from '../fixture/index.js';

import type { MeasureOptions, Measurement } from './measurement.js';

export interface RepriseOptions extends MeasureOptions {
  readonly strategy: 'ship' | 'replay';
  /** Of the link, in bytes a second each way. */
  readonly bytesPerSecond: number;
  /** Where the copies of the stores stand meanwhile. */
  readonly directory: string;
}

/**
 * Migrates the suspended VM of `pair.a` to `pair.b`, on copies of both: a handoff uses a pair up. Throws when cmp finds
 * any difference between the two sides afterwards.
 */
export async function measureReprise(
  pair: SeededPair,
  options: RepriseOptions,
): Promise<Measurement> {
  const { strategy, signal, onProgress } = options;
  await using directory = await createScratchDirectory(options.directory, strategy);
  const copy = { ...pair, a: join(directory.path, 'a'), b: join(directory.path, 'b') };
  onProgress('copying both stores');
  await copyDirectory(pair.a, copy.a, signal);
  await copyDirectory(pair.b, copy.b, signal);
  const startedMs = performance.now();
  const report = await migrateCopy(copy, options);
  const seconds = (performance.now() - startedMs) / 1000;
  if (report.strategy !== strategy) {
    throw new Error(
      `'${pair.name}' was to be moved by ${strategy} and was moved by ${report.strategy}: ${report.notes.join(' ')}`,
    );
  }
  onProgress('comparing both sides');
  await verify(copy, join(directory.path, 'files'), report, signal);
  return { method: `reprise-${strategy}`, bytes: report.bytes, seconds, report };
}

async function migrateCopy(pair: SeededPair, options: RepriseOptions): Promise<MigrationReport> {
  const { strategy, bytesPerSecond, signal, onProgress } = options;
  await using receiver = await serveReceiver(pair.b, signal === undefined ? {} : { signal });
  let stage: string | undefined;
  const outcome = await migrate({
    ...{ home: pair.a, name: pair.name, destination: receiver.destination, bytesPerSecond },
    strategy,
    // The state at the handoff is what is measured; running on would change it.
    resume: false,
    ...(signal === undefined ? {} : { signal }),
    onProgress: (progress) => {
      if (progress.stage === stage) return;
      stage = progress.stage;
      onProgress(`${strategy}: ${stage}`);
    },
  });
  if (outcome.kind === 'migrated') return outcome.report;
  throw new Error(`The migration ended as '${outcome.kind}'. It said: ${receiver.said.join(' ')}`);
}

async function verify(
  pair: SeededPair,
  directory: string,
  report: MigrationReport,
  signal: AbortSignal | undefined,
): Promise<void> {
  const options = { signal };
  const source = await snapshotFiles(pair.a, pair.name, join(directory, 'a'), options);
  const destination = await snapshotFiles(pair.b, pair.name, join(directory, 'b'), options);
  const differences = await sameState(source, destination, options);
  if (differences.length === 0 && destination.root === report.target) return;
  const what = differences.map((difference) => difference.what).join('; ');
  throw new Error(
    `After migration ${report.migration} the sides differ: ${what || 'their heads have other names'}. This is a fault of reprise; report it with the base's and the target's state.`,
  );
}
