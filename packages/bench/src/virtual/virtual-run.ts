import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';

import { migrate, type MigrationReport } from '@reprise/core';

import {
  createScratchDirectory,
  RunningGuest,
  sameState,
  seededPair,
  serveReceiver,
  snapshotFiles,
  type SeededPair,
} from '../fixture/index.js';
import { measureBaselines } from '../measure/baselines.js';
import { measureReprise } from '../measure/reprise.js';
import { playSession, type Session } from '../session/index.js';

import type { VirtualRun } from './results.js';

export interface VirtualRunOptions {
  readonly name: string;
  readonly session: Session;
  readonly run: number;
  /** Play and replay while every CPU of the host is busy. */
  readonly loaded: boolean;
  /** Also measure what other ways would have sent. */
  readonly compare: boolean;
  readonly directory: string;
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

/** Plays a session in virtual time, migrates the VM, and compares both sides with cmp. */
export async function runInVirtualTime(options: VirtualRunOptions): Promise<VirtualRun> {
  const { name, session, run, loaded, signal, onProgress } = options;
  await using directory = await createScratchDirectory(options.directory, name);
  const pair = await seededPair(session.guest, join(directory.path, 'pair'), {
    ...{ clock: 'virtual', signal, onProgress },
  });
  await using load = loaded ? keepBusy() : undefined;
  const played = await play(pair, options);
  const others = options.compare ? await measureOthers(pair, directory.path, options) : {};
  const report = await migrateExactly(pair, options);
  await load?.[Symbol.asyncDispose]();
  onProgress('comparing both sides');
  const files = join(directory.path, 'files');
  const differences = await sameState(
    await snapshotFiles(pair.a, pair.name, join(files, 'a'), { signal }),
    await snapshotFiles(pair.b, pair.name, join(files, 'b'), { signal }),
  );
  if (differences.length > 0) throw new Error('The two sides differ although they were proved.');
  const { byClass, total } = report.bytes;
  const bytesOf = (kind: keyof typeof byClass) => byClass[kind].sent + byClass[kind].received;
  return {
    ...{ name, run, kind: 'virtual', loaded, ...played },
    // Exact: the replay alone came to the state; nothing of it was shipped.
    identical: report.replay?.pacing === 'virtual-time' && report.notes.length === 0,
    notes: report.notes,
    bytesTotal: total,
    ...{ log: bytesOf('log'), device: bytesOf('device'), digests: bytesOf('digests') },
    control: bytesOf('control'),
    replaySeconds: report.replay?.seconds ?? 0,
    ...others,
  };
}

/** Plays a session under the host's clock, for its CPU time. */
export async function runPlain(options: VirtualRunOptions): Promise<VirtualRun> {
  const { name, session, run, loaded, signal, onProgress } = options;
  await using directory = await createScratchDirectory(options.directory, name);
  const pair = await seededPair(session.guest, join(directory.path, 'pair'), {
    signal,
    onProgress,
  });
  return { ...{ name, run, kind: 'plain', loaded }, ...(await play(pair, options)) };
}

async function play(
  pair: SeededPair,
  { session, signal, onProgress }: VirtualRunOptions,
): Promise<Pick<VirtualRun, 'cpuSeconds' | 'sessionSeconds'>> {
  await using guest = await RunningGuest.start(pair.a, pair.name, { signal });
  const beforeMs = await guest.cpuMs();
  const startedMs = performance.now();
  await using viewer = await guest.openViewer(signal);
  onProgress(`playing ${session.title}`);
  await playSession(viewer, session, { signal, guestCpuMs: () => guest.cpuMs() });
  await viewer.close();
  const cpuSeconds = ((await guest.cpuMs()) - beforeMs) / 1000;
  const sessionSeconds = (performance.now() - startedMs) / 1000;
  await guest.suspend();
  return { cpuSeconds, sessionSeconds };
}

async function migrateExactly(
  pair: SeededPair,
  { bytesPerSecond, signal, onProgress }: VirtualRunOptions,
): Promise<MigrationReport> {
  await using receiver = await serveReceiver(pair.b, { signal });
  onProgress('migrating');
  const outcome = await migrate({
    ...{ home: pair.a, name: pair.name, destination: receiver.destination, bytesPerSecond, signal },
    resume: false,
  });
  if (outcome.kind === 'migrated') return outcome.report;
  throw new Error(`The migration ended as '${outcome.kind}'. It said: ${receiver.said.join(' ')}`);
}

async function measureOthers(
  pair: SeededPair,
  directory: string,
  { bytesPerSecond, signal, onProgress }: VirtualRunOptions,
): Promise<Pick<VirtualRun, 'rsyncZ' | 'ship'>> {
  const files = join(directory, 'others');
  const base = await snapshotFiles(pair.b, pair.name, join(files, 'base'), { signal });
  const target = await snapshotFiles(pair.a, pair.name, join(files, 'target'), { signal });
  const baselines = await measureBaselines(base, target, files, { signal, onProgress });
  const rsync = baselines.find(({ method }) => method === 'rsync');
  const ship = await measureReprise(pair, {
    ...{ strategy: 'ship', bytesPerSecond, directory, signal, onProgress },
  });
  return {
    ...(rsync === undefined ? {} : { rsyncZ: rsync.bytes.total }),
    ship: ship.bytes.total,
  };
}

/** Keeps every CPU busy until it is disposed. */
function keepBusy(): AsyncDisposable {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker('for (;;);', { eval: true }),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
