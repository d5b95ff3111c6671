import { join } from 'node:path';

import { migrate, openStore, readInputLog, type MigrationReport } from '@reprise/core';

import { measureRsync } from '../baseline/index.js';
import {
  createScratchDirectory,
  sameState,
  seededPair,
  serveReceiver,
  snapshotFiles,
  type SeededPair,
} from '../fixture/index.js';
import { measureReprise } from '../measure/reprise.js';
import type { Session } from '../session/index.js';

import { play } from './playing.js';
import type { HostClockRun, VirtualRun } from './results.js';
import type { SharedLoad } from './shared-load.js';

export interface RunOptions {
  readonly subject: string;
  /** The session's name among those of this benchmark. */
  readonly name: string;
  readonly run: number;
  readonly session: Session;
  readonly network: boolean;
  /** Where the stores of the run stand. */
  readonly directory: string;
  readonly bytesPerSecond: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface VirtualRunOptions extends RunOptions {
  /** Present: play and replay while every CPU of the host is busy. */
  readonly load: SharedLoad | undefined;
  readonly alone: boolean;
  /** Also compare both sides byte by byte. */
  readonly compared: boolean;
  /** Also measure what other ways would have sent. */
  readonly measuresOthers: boolean;
}

/** Plays a session in virtual time, and migrates the VM. */
export async function runInVirtualTime(options: VirtualRunOptions): Promise<VirtualRun> {
  const { subject, name, run, load, alone, compared, signal } = options;
  await using directory = await createScratchDirectory(options.directory, name);
  const pair = await pairFor(options, 'virtual', directory.path);
  await using busy = load?.want();
  const played = await play(pair, options.session, options);
  const frames = await loggedFrameBytes(pair);
  const others = options.measuresOthers ? await measureOthers(pair, directory.path, options) : {};
  const report = await migrateSuspended(pair, options);
  await busy?.[Symbol.asyncDispose]();
  if (compared) await compare(pair, join(directory.path, 'files'), signal);
  const { byClass, total } = report.bytes;
  const bytesOf = (kind: keyof typeof byClass) => byClass[kind].sent + byClass[kind].received;
  return {
    ...{ kind: 'virtual', subject, session: name, run, loaded: load !== undefined, alone },
    ...played,
    sessionSeconds: report.replay?.sessionSeconds ?? 0,
    exact: report.replay?.exact ?? false,
    compared,
    notes: report.notes,
    bytesTotal: total,
    ...{ log: bytesOf('log'), device: bytesOf('device'), digests: bytesOf('digests') },
    ...{ control: bytesOf('control'), frames },
    replaySeconds: report.replay?.seconds ?? 0,
    ...others,
  };
}

/** The same session under the host's clock: what an opportunistic replay leaves to ship. */
export async function runUnderHostClock(options: RunOptions): Promise<HostClockRun> {
  const { subject, name, run } = options;
  await using directory = await createScratchDirectory(options.directory, `${name}-host`);
  const pair = await pairFor(options, 'host', directory.path);
  await play(pair, options.session, options);
  const { bytes } = await migrateSuspended(pair, options);
  return { ...{ kind: 'host-clock', subject, session: name, run }, bytesTotal: bytes.total };
}

async function pairFor(
  { session, network, signal, onProgress }: RunOptions,
  clock: 'virtual' | 'host',
  directory: string,
): Promise<SeededPair> {
  return await seededPair(session.guest, join(directory, 'pair'), {
    ...{ clock, network: network ? 'user' : 'none', signal, onProgress },
  });
}

/** What of the session's log is frames. It is read before the handoff, with which the log expires. */
async function loggedFrameBytes({ a, name }: SeededPair): Promise<number> {
  await using store = await openStore({ home: a });
  const head = await store.head(name);
  if (head === undefined) throw new Error(`'${name}' was not suspended.`);
  const log = await readInputLog(head.paths.inputLog, await store.deriveKey(name, 'input-log'));
  return (log.frames ?? []).reduce((sum, { bytes }) => sum + bytes.length, 0);
}

async function migrateSuspended(
  pair: SeededPair,
  { bytesPerSecond, signal, onProgress }: RunOptions,
): Promise<MigrationReport> {
  await using receiver = await serveReceiver(pair.b, { signal });
  onProgress('migrating');
  const outcome = await migrate({
    ...{ home: pair.a, name: pair.name, destination: receiver.destination, bytesPerSecond, signal },
    ...{ strategy: 'replay', resume: false },
  });
  if (outcome.kind === 'migrated') return outcome.report;
  throw new Error(`The migration ended as '${outcome.kind}'. It said: ${receiver.said.join(' ')}`);
}

async function compare(pair: SeededPair, files: string, signal: AbortSignal): Promise<void> {
  const differences = await sameState(
    await snapshotFiles(pair.a, pair.name, join(files, 'a'), { signal }),
    await snapshotFiles(pair.b, pair.name, join(files, 'b'), { signal }),
    { signal },
  );
  if (differences.length > 0) throw new Error('The two sides differ although they were proved.');
}

async function measureOthers(
  pair: SeededPair,
  directory: string,
  { bytesPerSecond, signal, onProgress }: RunOptions,
): Promise<Pick<VirtualRun, 'rsyncZ' | 'ship'>> {
  const files = join(directory, 'others');
  const base = await snapshotFiles(pair.b, pair.name, join(files, 'base'), { signal });
  const target = await snapshotFiles(pair.a, pair.name, join(files, 'target'), { signal });
  onProgress('measuring rsync -z');
  const rsync = await measureRsync(base, target, { directory: files, signal });
  const ship = await measureReprise(pair, {
    ...{ strategy: 'ship', bytesPerSecond, directory, signal, onProgress },
  });
  return { rsyncZ: rsync.total, ship: ship.bytes.total };
}
