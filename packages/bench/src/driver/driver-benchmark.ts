import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createRunDirectory, createSocketDirectory } from '../fixture/directories.js';
import { runProgram } from '../baseline/index.js';
import type { Contender, ContenderName } from './contender.js';
import { startNbdkit, startOurs, startQemuNbd } from './contender.js';
import { driverFacts, type DriverFacts } from './driver-facts.js';
import { driverRow, type DriverRow } from './driver-row.js';
import { fill, measure, type FioOptions } from './fio.js';
import { balancedOrder } from '../measure/order.js';
import { QuietMeasurements, type InterferenceSummary } from './quiet-measurements.js';
import { measureTracking } from './tracking-pairs.js';
import { worst, type Verdict } from './verdict.js';
import type { Workload } from './workload.js';

export interface DriverBenchmarkOptions {
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  /** Of one measurement; a third as much goes before it, uncounted. */
  readonly runtimeMs: number;
  /** Of tracking on and off, each a quarter as long as a measurement, in so many sets. */
  readonly pairs: number;
  readonly sizeMiB: number;
  /** Disturbed measurements are repeated only until this long after the start. */
  readonly repeatUntilMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface DriverBenchmarkResult {
  readonly version: 2;
  readonly startedAt: string;
  readonly host: DriverFacts;
  readonly configuration: {
    readonly rounds: number;
    readonly runtimeMs: number;
    readonly pairs: number;
    readonly pairRuntimeMs: number;
    readonly sizeBytes: number;
    readonly connections: 1;
    readonly durability: string;
    readonly cache: string;
    readonly commands: Readonly<Record<ContenderName, string>>;
  };
  readonly interference: InterferenceSummary;
  readonly rows: readonly DriverRow[];
  /** Of the row that stands worst. */
  readonly verdict: Verdict;
}

type Collected = Record<ContenderName, number[]>;

/** Sets of servers that the pairs are spread over. */
const PAIR_SETS = 6;

/**
 * fio's nbd engine against our driver, qemu-nbd and nbdkit, which all run the whole time: in every round each of them
 * runs every workload once, in a balanced order. Then our driver with and without tracking, in pairs.
 */
export async function runDriverBenchmark(
  o: DriverBenchmarkOptions,
): Promise<DriverBenchmarkResult> {
  const { signal, onProgress, pairs, runtimeMs } = o;
  const startedAt = new Date().toISOString();
  const host = await driverFacts();
  const sizeBytes = o.sizeMiB * 2 ** 20;
  await using directory = await createRunDirectory();
  await using socketDirectory = await createSocketDirectory();
  const places = { directory: directory.path, sockets: socketDirectory.path, sizeBytes, signal };
  const base = join(directory.path, 'base.img');
  await runProgram('dd', ['if=/dev/urandom', `of=${base}`, 'bs=1M', `count=${String(o.sizeMiB)}`]);
  const quiet = new QuietMeasurements(o.repeatUntilMs);
  const { samples, commands } = await measureContenders(base, places, quiet, o);
  const fio = fioOptions(sizeBytes, pairRuntimeMs(runtimeMs), signal);
  const tracking = { ...places, base, pairs, sets: PAIR_SETS, cores: host.cores, fio };
  const measured = await measureTracking(o.workloads, quiet, tracking, onProgress);
  const rows = o.workloads.flatMap((workload, index) => {
    const [ours, pairsOfRow] = [samples[index], measured[index]];
    return ours === undefined || pairsOfRow === undefined
      ? []
      : [driverRow(workload, ours, pairsOfRow)];
  });
  return {
    version: 2,
    startedAt,
    host,
    configuration: {
      ...{ rounds: o.rounds, runtimeMs, pairs, pairRuntimeMs: pairRuntimeMs(runtimeMs) },
      sizeBytes,
      connections: 1,
      durability: 'no server syncs a write that the client does not flush; fio sends no flush',
      cache: 'buffered; every image was written whole just before, so all reads hit the page cache',
      commands,
    },
    interference: quiet.summary(),
    rows,
    verdict: {
      speed: worst(rows.map((row) => row.verdict.speed)),
      tracking: worst(rows.map((row) => row.verdict.tracking)),
    },
  };
}

/** Short: what differs from run to run, such as where threads are placed, only more runs even out. */
const pairRuntimeMs = (runtimeMs: number): number => Math.max(50, Math.round(runtimeMs / 4));

const fioOptions = (sizeBytes: number, runtimeMs: number, signal?: AbortSignal): FioOptions => ({
  ...{ sizeBytes, runtimeMs, rampMs: Math.round(runtimeMs / 3), signal },
});

interface Places {
  readonly directory: string;
  readonly sockets: string;
  readonly sizeBytes: number;
  readonly signal?: AbortSignal | undefined;
}

async function measureContenders(
  base: string,
  places: Places,
  quiet: QuietMeasurements,
  o: DriverBenchmarkOptions,
): Promise<{ samples: Collected[]; commands: Record<ContenderName, string> }> {
  const { signal, onProgress } = o;
  await using stack = new AsyncDisposables();
  onProgress('starting the servers');
  const contenders = await startAll(stack, base, places);
  for (const { server } of contenders) {
    onProgress(`filling the disk of ${server.name}`);
    await fill(server.uri, places.sizeBytes, signal);
  }
  const samples = o.workloads.map((): Collected => ({ ours: [], qemuNbd: [], nbdkit: [] }));
  const fio = fioOptions(places.sizeBytes, o.runtimeMs, signal);
  for (let round = 0; round < o.rounds; round++) {
    onProgress(`round ${String(round + 1)} of ${String(o.rounds)}`);
    for (const [index, workload] of o.workloads.entries()) {
      for (const { name, server } of balancedOrder(contenders, round)) {
        const value = await quiet.take([server.pid], () => measure(server.uri, workload, fio));
        samples[index]?.[name].push(value);
      }
    }
  }
  const commands: Record<ContenderName, string> = { ours: '', qemuNbd: '', nbdkit: '' };
  for (const { name, server } of contenders) commands[name] = server.command;
  return { samples, commands };
}

/** Each over its own copy of one image of random bytes. */
async function startAll(
  stack: AsyncDisposables,
  base: string,
  places: Places,
): Promise<{ name: ContenderName; server: Contender }[]> {
  const { directory, sockets, signal } = places;
  const image = (name: string): string => join(directory, `${name}.img`);
  await copyFile(base, image('qemu'));
  await copyFile(base, image('nbdkit'));
  return [
    { name: 'ours', server: stack.use(await startOurs(base, { ...places, tracking: true })) },
    { name: 'qemuNbd', server: stack.use(await startQemuNbd(sockets, image('qemu'), signal)) },
    { name: 'nbdkit', server: stack.use(await startNbdkit(sockets, image('nbdkit'), signal)) },
  ];
}

/** Node 20 has no AsyncDisposableStack of its own. */
class AsyncDisposables implements AsyncDisposable {
  readonly #resources: AsyncDisposable[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.#resources.push(resource);
    return resource;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const resource of this.#resources.reverse()) await resource[Symbol.asyncDispose]();
  }
}
