import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createRunDirectory, createSocketDirectory } from '../fixture/directories.js';
import { runProgram } from '../baseline/index.js';
import type { Contender, ContenderName } from './contender.js';
import { startNbdkit, startOurs, startQemuNbd } from './contender.js';
import { driverFacts, type DriverFacts } from './driver-facts.js';
import { driverRow, type DriverRow } from './driver-row.js';
import { fill, measure } from './fio.js';
import { balancedOrder } from './order.js';
import { QuietMeasurements, type InterferenceSummary } from './quiet-measurements.js';
import type { Workload } from './workload.js';

export interface DriverBenchmarkOptions {
  readonly workloads: readonly Workload[];
  readonly rounds: number;
  /** Of one measurement; a third as much goes before it, uncounted. */
  readonly runtimeMs: number;
  readonly sizeMiB: number;
  /** Disturbed measurements are repeated only until this long after the start. */
  readonly repeatUntilMs: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface DriverBenchmarkResult {
  readonly version: 1;
  readonly startedAt: string;
  readonly host: DriverFacts;
  readonly configuration: {
    readonly rounds: number;
    readonly runtimeMs: number;
    readonly sizeBytes: number;
    readonly connections: 1;
    readonly durability: string;
    readonly cache: string;
    readonly commands: Readonly<Record<ContenderName, string>>;
  };
  readonly interference: InterferenceSummary;
  readonly rows: readonly DriverRow[];
}

type Collected = Record<ContenderName, number[]>;

/**
 * fio's nbd engine against our driver with and without tracking, qemu-nbd and nbdkit. All four run the whole time;
 * in every round each of them runs every workload once, in a balanced order.
 */
export async function runDriverBenchmark(
  o: DriverBenchmarkOptions,
): Promise<DriverBenchmarkResult> {
  const { signal, onProgress } = o;
  const startedAt = new Date().toISOString();
  const host = await driverFacts();
  const sizeBytes = o.sizeMiB * 2 ** 20;
  await using directory = await createRunDirectory();
  await using stack = new AsyncDisposables();
  onProgress('making the image and starting the servers');
  const contenders = await startAll(stack, directory.path, sizeBytes, signal);
  for (const { name, uri } of contenders) {
    onProgress(`filling the disk of ${name}`);
    await fill(uri, sizeBytes, signal);
  }
  const collected = o.workloads.map((): Collected => {
    return { ours: [], untracked: [], qemuNbd: [], nbdkit: [] };
  });
  const fio = { sizeBytes, runtimeMs: o.runtimeMs, rampMs: Math.round(o.runtimeMs / 3), signal };
  const quiet = new QuietMeasurements(o.repeatUntilMs);
  for (let round = 0; round < o.rounds; round++) {
    onProgress(`round ${String(round + 1)} of ${String(o.rounds)}`);
    for (const [index, workload] of o.workloads.entries()) {
      for (const { name, uri, pid } of balancedOrder(contenders, round)) {
        const value = await quiet.take([pid], () => measure(uri, workload, fio));
        collected[index]?.[name].push(value);
      }
    }
  }
  return {
    version: 1,
    startedAt,
    host,
    configuration: {
      rounds: o.rounds,
      runtimeMs: o.runtimeMs,
      sizeBytes,
      connections: 1,
      durability: 'no server syncs a write that the client does not flush; fio sends no flush',
      cache: 'buffered; every image was written whole just before, so all reads hit the page cache',
      commands: commandsOf(contenders),
    },
    interference: quiet.summary(),
    rows: o.workloads.flatMap((workload, index) => {
      const samples = collected[index];
      return samples === undefined ? [] : [driverRow(workload, samples)];
    }),
  };
}

/** Each over its own copy of one image of random bytes. */
async function startAll(
  stack: AsyncDisposables,
  directory: string,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<Contender[]> {
  const image = (name: string): string => join(directory, `${name}.img`);
  const base = image('base');
  const count = String(sizeBytes / 2 ** 20);
  await runProgram('dd', ['if=/dev/urandom', `of=${base}`, 'bs=1M', `count=${count}`]);
  await copyFile(base, image('qemu'));
  await copyFile(base, image('nbdkit'));
  const sockets = stack.use(await createSocketDirectory()).path;
  const ours = { directory, sockets, sizeBytes, signal };
  return [
    stack.use(await startOurs(base, { ...ours, tracking: true })),
    stack.use(await startQemuNbd(sockets, image('qemu'), signal)),
    stack.use(await startOurs(base, { ...ours, tracking: false })),
    stack.use(await startNbdkit(sockets, image('nbdkit'), signal)),
  ];
}

function commandsOf(contenders: readonly Contender[]): Record<ContenderName, string> {
  const commands: Record<ContenderName, string> = {
    ours: '',
    untracked: '',
    qemuNbd: '',
    nbdkit: '',
  };
  for (const { name, command } of contenders) commands[name] = command;
  return commands;
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
