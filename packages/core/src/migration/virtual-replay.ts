import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { overlayBlocks } from '@reprise/blkdriver-native';
import { fileImage, pageCount, type Differ, type PageRuns, type State } from '@reprise/differ';

import { describeError } from '../errors.js';
import { FlowTable, summarizeAttempts } from '../gate/index.js';
import type { VirtualClock } from '../hypervisor/index.js';
import type { InputLog } from '../input/index.js';
import type { Content, Divergence } from '../protocol/index.js';
import type { Snapshot, SnapshotStore, WorkingCopy } from '../snapshot/index.js';
import {
  bootFilesOf,
  deviceInputs,
  nsOfMs,
  PoweredVm,
  runtimeDirectory,
} from '../supervisor/index.js';
import { diskImage, replayedState, runsBelow } from '../state/index.js';

import { describeDivergence, divergenceAt } from './divergence.js';
import { compareMarks, type Compared } from './mark-comparison.js';
import type { Replayed } from './replay.js';
import { sessionMs } from './session-log.js';

export interface VirtualReplayOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly base: Snapshot;
  /** Of every session since the base, oldest first. */
  readonly logs: readonly InputLog[];
  /** Names the scratch copy; a migration replays once. */
  readonly migration: string;
  readonly signal: AbortSignal;
  readonly onProgress: (events: number, eventsTotal: number, sessionMs: number) => void;
}

/** The replayed state, to be taken over as it stands where the source says that it is the target. */
export interface AdoptableState {
  readonly ram: string;
  readonly device: string;
  readonly overlay: string;
  readonly changed: { readonly ram: PageRuns; readonly disk: PageRuns };
}

/** A replay in virtual time; `state` is absent where it broke off. */
export interface VirtuallyReplayed extends Replayed {
  readonly state?: AdoptableState;
}

const PROGRESS_POLL_MS = 500;
/** A host that takes so much longer than the session was does not finish: shipping is faster. */
const PATIENCE_FACTOR = 4;
const PATIENCE_SPARE_MS = 120_000;

/**
 * Runs every session again in virtual time, on a copy of its own, with its network gated. Between two
 * sessions the guest is saved and loaded, as it was at the source. Never throws for what goes wrong: a replay
 * that fails is reported, and costs bytes.
 */
export async function replayVirtually(options: VirtualReplayOptions): Promise<VirtuallyReplayed> {
  const { store, base, migration, logs } = options;
  const dispose = () => store.discardWorkingCopy(base.vm, migration);
  const startedMs = performance.now();
  const report = (change: Partial<Content<'replayReport'>>): Content<'replayReport'> => ({
    ...{ outcome: 'complete', pacing: 'virtual-time', anchors: 0, anchorsMissed: 0 },
    events: logs.reduce((sum, log) => sum + log.events.length, 0),
    seconds: (performance.now() - startedMs) / 1000,
    sessionSeconds: logs.reduce((sum, log) => sum + sessionMs(log), 0) / 1000,
    ...change,
  });
  try {
    await dispose();
    const copy = await store.createWorkingCopy(base.vm, {
      ...{ from: base.root, scratch: migration, signal: options.signal },
    });
    const flows = new FlowTable(() => performance.now() - startedMs);
    const replayed = await replaySessions(options, copy, flows);
    const { device, marks, divergence } = replayed;
    const images = await imagesOf(copy);
    const left = await replayedState(options.differ, base, images, device);
    const changed = { ram: left.changedRam, disk: await overlayBlocks([copy.disk.overlay]) };
    const produced = { state: left.state, changed };
    const state: AdoptableState = {
      ...{ ram: copy.paths.ram, device, overlay: copy.disk.overlay },
      changed: { ...changed, ram: runsBelow(changed.ram, pageCount(images.ram)) },
    };
    const attempts =
      (await store.machine(base.vm)).network === 'none'
        ? {}
        : { attempts: summarizeAttempts(flows.ledger()) };
    if (divergence !== undefined) {
      const reason = describeDivergence(divergence);
      return {
        report: report({ outcome: 'diverged', reason, marks, divergence, ...attempts }),
        produced,
        [Symbol.asyncDispose]: dispose,
      };
    }
    return {
      report: report({ marks, state: await digestsOf(options, state), ...attempts }),
      produced,
      state,
      [Symbol.asyncDispose]: dispose,
    };
  } catch (error) {
    const reason = describeError(error).slice(0, 2000);
    const outcome = options.signal.aborted ? 'aborted' : 'failed';
    return {
      report: report({ outcome, reason }),
      produced: undefined,
      [Symbol.asyncDispose]: dispose,
    };
  }
}

interface ReplayedSessions {
  /** The path of the last device state. */
  readonly device: string;
  readonly marks: number;
  /** Where they were given up. */
  readonly divergence?: Divergence;
}

async function replaySessions(
  options: VirtualReplayOptions,
  copy: WorkingCopy,
  flows: FlowTable,
): Promise<ReplayedSessions> {
  const { store, base, logs, migration, signal } = options;
  const machine = await store.machine(base.vm);
  const boot = await bootFilesOf(store, machine);
  const eventsTotal = logs.reduce((sum, log) => sum + log.events.length, 0);
  let deviceState = copy.paths.resumeFrom;
  let [events, sessionsMs, marks] = [0, 0, 0];
  for (const [i, log] of logs.entries()) {
    if (deviceState === undefined) throw new Error('a snapshot has no device state');
    await using powered = await PoweredVm.start({
      ...{ machine, boot, deviceState, signal },
      ramFile: copy.paths.ram,
      chain: copy.disk,
      runDirectory: runtimeDirectory(store.home, `${base.vm}\0${migration}`),
      gate: 'closed',
      network: {
        onFrame: (frame, direction) => {
          flows.observe(frame, direction);
        },
      },
    });
    const before = { events, sessionsMs };
    const compared = await replaySession(powered, log, signal, (done, ms) => {
      options.onProgress(before.events + done, eventsTotal, before.sessionsMs + ms);
    });
    marks += compared.equal;
    const next = join(copy.paths.directory, `device-${String(i)}`);
    await powered.suspend(next, signal);
    deviceState = next;
    if (compared.different !== undefined) {
      const divergence = divergenceAt(log, compared.equal, compared.different, i);
      return { device: next, marks, divergence };
    }
    events += log.events.length;
    sessionsMs += sessionMs(log);
  }
  if (deviceState === undefined) throw new Error('no session was recorded');
  return { device: deviceState, marks };
}

async function replaySession(
  { vm }: PoweredVm,
  log: InputLog,
  signal: AbortSignal,
  onProgress: (events: number, sessionMs: number) => void,
): Promise<Compared> {
  const { virtualClock } = vm;
  if (virtualClock === undefined || log.header.virtual === undefined || log.end === undefined) {
    throw new Error('The session was not recorded in virtual time.');
  }
  await virtualClock.load(deviceInputs(log));
  const { markEveryMs } = log.header.virtual;
  const startNs = await virtualClock.replay(
    nsOfMs(log.end.atMs),
    markEveryMs === undefined ? {} : { markEveryNs: nsOfMs(markEveryMs) },
  );
  if (startNs !== log.header.virtual.startNs) {
    throw new Error('The guest begins at another instant than the session did.');
  }
  const deadline = AbortSignal.timeout(sessionMs(log) * PATIENCE_FACTOR + PATIENCE_SPARE_MS);
  const watching = watch(virtualClock, onProgress);
  const comparing = compareMarks(virtualClock, log);
  comparing.catch(() => undefined);
  try {
    await vm.resume();
    await virtualClock.replayed(AbortSignal.any([signal, deadline]));
  } finally {
    watching.stop();
    await watching.done;
  }
  const compared = await comparing;
  if (compared.different !== undefined) return compared;
  const { latestNs } = await virtualClock.status();
  if (latestNs !== 0) throw new Error('Input went in late, so the replay cannot be exact.');
  return compared;
}

function watch(
  clock: VirtualClock,
  onProgress: (events: number, sessionMs: number) => void,
): { stop: () => void; done: Promise<void> } {
  const over = new AbortController();
  const done = (async () => {
    while (!over.signal.aborted) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, PROGRESS_POLL_MS);
        over.signal.addEventListener('abort', () => {
          clearTimeout(timer);
          resolve();
        });
      });
      // What ends the replay is told by the replay itself.
      const status = await clock.status().catch(() => undefined);
      if (status !== undefined) onProgress(status.injected, status.sessionNs / 1e6);
    }
  })();
  return {
    stop: () => {
      over.abort();
    },
    done,
  };
}

/** The roots that the target would have if the replay were exact. */
async function digestsOf(
  { differ, base, store, migration }: VirtualReplayOptions,
  state: AdoptableState,
): Promise<Content<'replayReport'>['state']> {
  const copy = await store.workingCopy(base.vm, migration);
  if (copy === undefined) return undefined;
  const images = await imagesOf(copy);
  const root = async (space: 'ram' | 'disk') => {
    const leaves = join(copy.paths.directory, `${space}.leaves.replayed`);
    const from = space === 'ram' ? base.paths.ramLeaves : base.paths.diskLeaves;
    const digest = await differ.updateLeaves(from, images[space], state.changed[space], leaves);
    await rm(leaves, { force: true });
    return Buffer.from(digest).toString('hex');
  };
  return {
    ramRoot: await root('ram'),
    diskRoot: await root('disk'),
    deviceDigest: createHash('sha256')
      .update(await readFile(state.device))
      .digest('hex'),
  };
}

async function imagesOf({ paths, disk }: WorkingCopy): Promise<State> {
  return {
    ram: await fileImage(paths.ram),
    disk: await diskImage({ base: disk.base, layers: [...disk.layers, disk.overlay] }),
  };
}
