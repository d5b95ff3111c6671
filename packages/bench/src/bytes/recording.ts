import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { overlayBlocks } from '@reprise/blkdriver-native';
import {
  diskImage,
  openStore,
  readSessionInput,
  replayedState as replayedStateOf,
  replaySession,
  suspendVm,
  type Snapshot,
  type SnapshotStore,
} from '@reprise/core';
import { Differ, fileImage, type PageRuns, type State } from '@reprise/differ';
import { ensureGuest } from '@reprise/guests';

import { runProgram } from '../baseline/run-program.js';
import { copyDirectory, fixtureDirectory, RunningGuest, seededPair } from '../fixture/index.js';
import { createScratchDirectory } from '../fixture/directories.js';
import { playSession, type Session } from '../session/index.js';

/**
 * A session recorded once, so that bytes can be worked on without booting anything: the stores of both
 * hosts as the session left them, and what a replay of it at the destination produced.
 *
 * ```
 * a/         the source's store; its head was squeezed before the suspend
 * plain/     the same store before the squeeze: the state that other tools are measured on
 * b/         the destination's store, which holds the base
 * replay/    ram, device, overlay/, report.json: what the replay left
 * ```
 */
export interface Recording {
  readonly session: string;
  readonly vm: string;
  readonly directory: string;
  /** Stores. */
  readonly a: string;
  readonly plain: string;
  readonly b: string;
  readonly replay: string;
}

/** Raise it when what a recording holds changes. */
const RECORDING_VERSION = 2;

export interface RecordOptions {
  /** Whether `replay/` is wanted too. Default true. */
  readonly replay?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
}

/** The recording of a session, from the cache or made now (some minutes). */
export async function recordingOf(session: Session, options: RecordOptions): Promise<Recording> {
  const images = await ensureGuest(session.guest, {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    onProgress: (line) => {
      options.onProgress(line);
    },
  });
  const root = fixtureDirectory();
  await mkdir(root, { recursive: true });
  const key = `${session.name}-${stepsDigest(session)}-on-${basename(images.directory)}-v${String(RECORDING_VERSION)}`;
  const directory = join(root, `recording-${key}`);
  const known = await readRecording(session, directory);
  if (known !== undefined) return await withReplay(known, options);
  {
    await using building = await createScratchDirectory(root, `building-${String(process.pid)}`);
    await record(session, building.path, options);
    await rm(directory, { recursive: true, force: true });
    await rename(building.path, directory);
  }
  const made = await readRecording(session, directory);
  if (made !== undefined) return await withReplay(made, options);
  throw new Error(`The recording ${directory} is broken. Remove that directory, then try again.`);
}

/** Another seed, or other steps, are another recording. */
function stepsDigest({ seed, steps }: Session): string {
  return createHash('sha256')
    .update(JSON.stringify([seed, steps]))
    .digest('hex')
    .slice(0, 8);
}

async function readRecording(session: Session, directory: string): Promise<Recording | undefined> {
  const recording = at(session, directory);
  const complete = await readFile(join(directory, 'complete'), 'utf8').catch(() => undefined);
  return complete === undefined ? undefined : recording;
}

function at(session: Session, directory: string): Recording {
  const of = (name: string) => join(directory, name);
  return {
    ...{ session: session.name, vm: session.guest, directory },
    ...{ a: of('a'), plain: of('plain'), b: of('b'), replay: of('replay') },
  };
}

async function record(session: Session, directory: string, options: RecordOptions): Promise<void> {
  const { signal, onProgress } = options;
  const recording = at(session, directory);
  const pair = await seededPair(session.guest, join(directory, 'pair'), options);
  await rename(pair.a, recording.a);
  await rename(pair.b, recording.b);
  await rm(join(directory, 'pair'), { recursive: true, force: true });
  await play(session, recording, options);
  await copyDirectory(recording.a, recording.plain, signal);
  onProgress('squeezing what the session left');
  await RunningGuest.start(recording.a, recording.vm, { signal });
  await suspendVm(recording.a, recording.vm);
  await writeFile(join(directory, 'complete'), `${new Date().toISOString()}\n`);
}

async function play(
  session: Session,
  recording: Recording,
  { signal, onProgress }: RecordOptions,
): Promise<void> {
  await using guest = await RunningGuest.start(recording.a, recording.vm, { signal });
  await using viewer = await guest.openViewer(signal);
  onProgress(`playing ${session.title}`);
  await playSession(viewer, session, { signal, guestCpuMs: () => guest.cpuMs() });
  await viewer.close();
  onProgress('suspending');
  await suspendVm(recording.a, recording.vm, { squeeze: false });
}

async function withReplay(recording: Recording, options: RecordOptions): Promise<Recording> {
  if (options.replay === false) return recording;
  const report = join(recording.replay, 'report.json');
  if ((await readFile(report).catch(() => undefined)) === undefined)
    await replay(recording, options);
  return recording;
}

/** Replays at the destination, and keeps what that left; the report comes last. */
async function replay(recording: Recording, { signal, onProgress }: RecordOptions): Promise<void> {
  onProgress('replaying it at the other host');
  await using source = await openStore({ home: recording.a });
  await using store = await openStore({ home: recording.b });
  const base = await headOf(store, recording.vm);
  const input = await readSessionInput(source, recording.vm, await since(source, recording, base));
  if ('because' in input) throw new Error(`The session cannot be replayed: ${input.because}.`);
  const key = new Uint8Array(32);
  await using differ = new Differ({ fingerprint: { algorithm: 'xxh3', key } });
  const migration = randomUUID();
  await using replayed = await replaySession({
    ...{ store, differ, base, migration, log: input.log },
    signal: signal ?? new AbortController().signal,
    onProgress: () => undefined,
  });
  if (replayed.produced === undefined) {
    throw new Error(`The replay produced nothing: ${replayed.report.reason ?? 'no reason given'}.`);
  }
  const copy = await store.workingCopy(recording.vm, migration);
  if (copy === undefined) throw new Error('The replay left no working copy.');
  await rm(recording.replay, { recursive: true, force: true });
  await mkdir(recording.replay);
  await runProgram('cp', ['--sparse=always', copy.paths.ram, join(recording.replay, 'ram')]);
  await copyDirectory(copy.disk.overlay, join(recording.replay, 'overlay'), signal);
  await runProgram('cp', [copy.paths.device, join(recording.replay, 'device')]);
  await writeFile(join(recording.replay, 'report.json'), JSON.stringify(replayed.report));
}

/** The snapshots after `base`, oldest first. */
async function since(store: SnapshotStore, { vm }: Recording, base: Snapshot): Promise<Snapshot[]> {
  const byRoot = new Map((await store.listSnapshots(vm)).map((one) => [one.root, one]));
  const newer: Snapshot[] = [];
  let at: Snapshot | undefined = await headOf(store, vm);
  while (at !== undefined && at.root !== base.root) {
    newer.unshift(at);
    at = at.manifest.parent === null ? undefined : byRoot.get(at.manifest.parent);
  }
  return newer;
}

export async function headOf(store: SnapshotStore, vm: string): Promise<Snapshot> {
  const head = await store.head(vm);
  if (head === undefined) throw new Error(`'${vm}' has no snapshot in ${store.home}.`);
  return head;
}

/** What the replay of a recording produced, as the differ reads it. */
export async function replayedState(
  recording: Recording,
  store: SnapshotStore,
): Promise<{ readonly state: State; readonly changed: { ram: PageRuns; disk: PageRuns } }> {
  const base = await headOf(store, recording.vm);
  const overlay = join(recording.replay, 'overlay');
  const state: State = {
    ram: await fileImage(join(recording.replay, 'ram')),
    disk: await diskImage({ base: base.chain.base, layers: [...base.chain.layers, overlay] }),
  };
  await using differ = new Differ();
  const left = await replayedStateOf(differ, base, state, join(recording.replay, 'device'));
  const changed = { ram: left.changedRam, disk: await overlayBlocks([overlay]) };
  return { state: left.state, changed };
}
