import { freemem } from 'node:os';

import { createRunDirectory, fixtureDirectory } from '../fixture/directories.js';
import { hostFacts, type HostFacts } from '../measure/host-facts.js';

import { buildDigest } from '../measure/build-digest.js';
import { bytesTable } from './bytes-table.js';
import { runJobs } from './job-queue.js';
import { SessionMeasurement, type SessionBytes } from './session-bytes.js';
import { bytesSessions } from './sessions.js';
import { virtualTotals } from './virtual-totals.js';

export interface BytesBenchmarkOptions {
  /** Names in {@link bytesSessions}. */
  readonly sessions: readonly string[];
  /** Leave out what takes minutes and no VM: the oracles and other people's tools. */
  readonly quick: boolean;
  /** Offline methods at once. */
  readonly jobs: number;
  /** Finished runs of the benchmark of virtual time. */
  readonly virtualRuns?: string | undefined;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
  readonly onTable: (text: string) => void;
  /** Everything measured so far, after each method. */
  readonly onResult: (result: BytesBenchmarkResult) => Promise<void>;
}

export interface BytesBenchmarkResult {
  readonly version: 2;
  readonly startedAt: string;
  readonly host: HostFacts;
  /** Of the packages that migrated. */
  readonly build: string;
  readonly sessions: readonly SessionBytes[];
}

/** Of the memory that is free when the offline methods begin. */
const MEMORY_SHARE = 0.7;

/**
 * Every method on every session: recordings and migrations one after the other, then what needs no VM in a queue.
 * Recordings and results stay in the cache, so that a run that was stopped goes on where it was.
 */
export async function runBytesBenchmark(
  options: BytesBenchmarkOptions,
): Promise<BytesBenchmarkResult> {
  const { signal, onProgress, onTable, quick, jobs: lanes } = options;
  const startedAt = new Date().toISOString();
  const host = await hostFacts();
  const build = await buildDigest();
  const virtual = await virtualTotals(
    options.virtualRuns ?? `${fixtureDirectory()}/virtual-runs.jsonl`,
  );
  await using directory = await createRunDirectory();
  const measurements: SessionMeasurement[] = [];
  const result = (): BytesBenchmarkResult => ({
    ...{ version: 2, startedAt, host, build },
    sessions: measurements.map((one) => one.result),
  });
  try {
    for (const name of options.sessions) {
      const session = bytesSessions[name];
      if (session === undefined) throw new Error(`There is no session '${name}'.`);
      const measurement = new SessionMeasurement(session, name, {
        ...{ signal, directory: directory.path, build, virtual },
        onProgress: (text) => {
          onProgress(`${name}: ${text}`);
        },
        onChange: () => options.onResult(result()),
      });
      measurements.push(measurement);
      await measurement.migrate();
    }
    const jobs = quick ? [] : measurements.flatMap((measurement) => measurement.jobs());
    const memoryMiB = (freemem() / 2 ** 20) * MEMORY_SHARE;
    await runJobs(jobs, { lanes, memoryMiB });
  } finally {
    for (const measurement of measurements) await measurement[Symbol.asyncDispose]();
  }
  for (const measurement of measurements) onTable(bytesTable(measurement.result));
  return result();
}
