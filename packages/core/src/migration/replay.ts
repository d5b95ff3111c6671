import { overlayBlocks } from '@reprise/blkdriver-native';
import { fileImage, type Differ, type PageRuns, type State } from '@reprise/differ';

import { RfbClient } from '../console/index.js';
import { describeError } from '../errors.js';
import { FlowTable, summarizeAttempts } from '../gate/index.js';
import {
  ByEvidence,
  replayInput,
  type InputLog,
  type PacingStrategy,
  type ReplayProgress,
  type ReplayReport,
} from '../input/index.js';
import type { HypervisorVm } from '../hypervisor/index.js';
import type { Machine } from '../machine/index.js';
import { MAX_MISSED_NAMED, MAX_NOTE, type Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';
import {
  bootFilesOf,
  PoweredVm,
  runtimeDirectory,
  squeezeBeforeStop,
} from '../supervisor/index.js';
import { diskImage, replayedState } from '../state/index.js';

import { ReplayHeartbeat } from './replay-heartbeat.js';
import { ReplayedFront, type ReplayedFrontOptions } from './replayed-front.js';
import { sessionMs } from './session-log.js';

export interface ReplayOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly base: Snapshot;
  readonly log: InputLog;
  /** Names the scratch copy; a migration replays once. */
  readonly migration: string;
  /** Default: by evidence. */
  readonly pacing?: PacingStrategy;
  /** Ends everything at once; nothing is kept. */
  readonly signal: AbortSignal;
  /** Ends the replay early; what it produced so far counts. */
  readonly stop?: AbortSignal;
  /** Told every two seconds, also while one input waits. */
  readonly onProgress: (progress: Content<'replayProgress'>) => void;
  /** Present: it is told what the replay has written, while it runs. */
  readonly front?: ReplayFront;
}

export type ReplayFront = Pick<ReplayedFrontOptions, 'key' | 'tell'>;

/** Makes replays go another way than they would: to try what a migration makes of those that are slow, hang or diverge. */
export interface ReplayTrial {
  readonly pacing?: PacingStrategy;
  readonly rewrite?: (log: InputLog) => InputLog;
}

/** What a replay left: its state, to look for content in, and how it went. Dispose it to free the copy. */
export interface Replayed extends AsyncDisposable {
  readonly report: Content<'replayReport'>;
  /** Undefined when the replay produced nothing that can be read. */
  readonly produced:
    | {
        readonly state: State;
        readonly changed: { readonly ram: PageRuns; readonly disk: PageRuns };
      }
    | undefined;
}

/**
 * Runs the base again under the session's input, on a copy of its own, with every side effect gated. It
 * never throws for what the guest does: a replay that fails is reported, and costs bytes.
 */
export async function replaySession(options: ReplayOptions): Promise<Replayed> {
  const { store, base, migration } = options;
  const dispose = () => store.discardWorkingCopy(base.vm, migration);
  try {
    await dispose();
    const report = await run(options);
    return { report, produced: await whatItProduced(options), [Symbol.asyncDispose]: dispose };
  } catch (error) {
    const outcome = options.signal.aborted ? 'aborted' : 'failed';
    const report = nothing(outcome, describeError(error));
    return { report, produced: undefined, [Symbol.asyncDispose]: dispose };
  }
}

async function run(options: ReplayOptions): Promise<Content<'replayReport'>> {
  const { store, base, log, migration, signal } = options;
  const machine = await store.machine(base.vm);
  const copy = await store.createWorkingCopy(base.vm, {
    from: base.root,
    scratch: migration,
    signal,
  });
  const { resumeFrom, ram } = copy.paths;
  if (resumeFrom === undefined) throw new Error('a snapshot has no device state');
  const startedMs = performance.now();
  const flows = new FlowTable(() => performance.now() - startedMs);
  await using powered = await PoweredVm.start({
    machine,
    boot: await bootFilesOf(store, machine),
    ramFile: ram,
    chain: copy.disk,
    deviceState: resumeFrom,
    runDirectory: runtimeDirectory(store.home, `${base.vm}\0${migration}`),
    gate: 'closed',
    network: {
      onFrame: (frame, direction) => {
        flows.observe(frame, direction);
      },
    },
    signal,
  });
  // The client outlives the replay: closing it would lift keys that the session left pressed.
  await using display = await RfbClient.connect(powered.vm.display, { signal });
  await powered.vm.resume();
  const notes: string[] = [];
  await using front =
    options.front === undefined
      ? undefined
      : new ReplayedFront({
          ...options.front,
          disk: powered.disk,
          onTrouble: (why) => {
            notes.push(
              `The destination could not tell what its replay wrote, and more was shipped than was needed: ${why}`,
            );
          },
        });
  using heartbeat = new ReplayHeartbeat(atTheStart(log), {
    guestProgress: () => powered.vm.progress(),
    tell: options.onProgress,
  });
  const report = await replayInput({
    display,
    log,
    pacing: options.pacing ?? new ByEvidence(),
    guestProgress: () => powered.vm.progress(),
    inputBacklog: async () => await powered.vm.inputBacklog?.(),
    signal: options.stop === undefined ? signal : AbortSignal.any([signal, options.stop]),
    onProgress: (progress) => {
      heartbeat.at(progress);
    },
  });
  await front?.close();
  // The source's guest was squeezed before it stopped; so is this one.
  await squeezeUnlessStopped(machine, powered.vm, options);
  await powered.vm.pause();
  await powered.vm.saveDeviceState(copy.paths.device, signal);
  await powered.vm.quit();
  await powered.disk.close();
  const attempts = machine.network === 'none' ? undefined : summarizeAttempts(flows.ledger());
  return {
    ...asContent(report),
    ...(attempts === undefined ? {} : { attempts }),
    ...(notes.length === 0 ? {} : { notes: notes.map((note) => note.slice(0, MAX_NOTE)) }),
  };
}

/** It takes seconds, which one that is stopped early is not given. */
async function squeezeUnlessStopped(
  machine: Machine,
  vm: HypervisorVm,
  { signal, stop }: ReplayOptions,
): Promise<void> {
  const isStopped = () => stop?.aborted === true;
  if (isStopped()) return;
  const either = stop === undefined ? signal : AbortSignal.any([signal, stop]);
  try {
    await squeezeBeforeStop(machine, vm, either);
  } catch (error) {
    if (signal.aborted || !isStopped()) throw error;
  }
}

function atTheStart(log: InputLog): ReplayProgress {
  return {
    ...{ events: 0, totalEvents: log.events.length, sessionMs: 0, totalSessionMs: sessionMs(log) },
    ...{ anchorsMissed: 0, missesInARow: 0, matchedMs: 0 },
  };
}

async function whatItProduced({ store, differ, base, migration }: ReplayOptions) {
  const copy = await store.workingCopy(base.vm, migration);
  if (copy === undefined) return undefined;
  const state: State = {
    ram: await fileImage(copy.paths.ram),
    disk: await diskImage({
      base: copy.disk.base,
      layers: [...copy.disk.layers, copy.disk.overlay],
    }),
  };
  const left = await replayedState(differ, base, state, copy.paths.device);
  const disk = await overlayBlocks([copy.disk.overlay]);
  return { state: left.state, changed: { ram: left.changedRam, disk } };
}

function asContent(report: ReplayReport): Content<'replayReport'> {
  return {
    outcome: report.outcome === 'display-lost' ? 'failed' : report.outcome,
    pacing: report.pacing,
    ...(report.failure === undefined ? {} : { reason: report.failure }),
    events: report.events,
    anchors: report.anchors,
    anchorsMissed: report.anchorsMissed,
    missed: report.missed.slice(0, MAX_MISSED_NAMED),
    ...(report.endSeen === undefined ? {} : { endSeen: report.endSeen }),
    seconds: report.seconds,
    sessionSeconds: report.sessionSeconds,
  };
}

function nothing(outcome: 'aborted' | 'failed', reason: string): Content<'replayReport'> {
  return {
    ...{ outcome, pacing: 'none', reason, events: 0, anchors: 0, anchorsMissed: 0 },
    ...{ seconds: 0, sessionSeconds: 0 },
  };
}
