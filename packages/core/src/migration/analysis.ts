import type { BlockRuns } from '@reprise/blkdriver-native';
import type { Differ, ResiduePlan } from '@reprise/differ';

import { packInputLog, sealBlob } from '../input/index.js';
import type { EffectPolicy } from '../gate/index.js';
import type { Machine } from '../machine/index.js';
import { MAX_INPUT_LOG_BYTES, type Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';
import { changeBetween, contentIndexOf, lineOf, packDevice, type Change } from '../state/index.js';

import { packSessions, whyInexact, whyNotExact } from './exact-replay.js';
import { lastWrittenFirst } from './dirty-order.js';
import { planMigration, type Plan } from './plan.js';
import { readSessionInput, replaySeconds, type SessionInput } from './session-log.js';

/** The purpose under which an input log is sealed for the link. */
export const LOG_PURPOSE = 'migration input log';

export interface AnalysisOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly name: string;
  /** The snapshot that is to travel, and the one that both hosts hold. */
  readonly head: Snapshot;
  readonly base: Snapshot;
  readonly strategy: 'auto' | 'replay' | 'ship';
  readonly bytesPerSecond: number | undefined;
  /** What to save: where that is time, the plan weighs seconds. Default bytes. */
  readonly optimize?: 'bytes' | 'time';
  /** What to do with input that had an effect in the world. Default `block`. */
  readonly effects?: EffectPolicy;
  /** What the destination said of virtual time. */
  readonly virtualTime?: Content<'met'>['virtualTime'];
  readonly signal: AbortSignal | undefined;
  readonly onProgress: (text: string, done?: number, total?: number) => void;
}

/** Everything that the source can know before the first byte of state travels. */
export interface Analysis {
  readonly base: Snapshot;
  readonly change: Change;
  /** The blocks that the sessions wrote, as runs, the last written first. */
  readonly diskOrder: BlockRuns;
  /** What changed, sorted by what explains it. Whoever asked for the analysis closes it. */
  readonly residue: ResiduePlan;
  readonly input: SessionInput;
  readonly sealedLog: Uint8Array | undefined;
  /** The replay is in virtual time. */
  readonly virtualTime: boolean;
  /** What travels of the device state beside its pages, compressed against the base's. */
  readonly device: Uint8Array;
  readonly plan: Plan;
}

/** Finds what changed and what explains it, and plans from that. Nothing is sent. */
export async function analyse(options: AnalysisOptions): Promise<Analysis> {
  const { store, differ, name, head, base, signal, onProgress } = options;
  const cancel = signal === undefined ? {} : { signal };
  onProgress('finding what changed');
  const change = await changeBetween(differ, base, head, signal);
  const diskOrder = await lastWrittenFirst(change.overlays, change.target.disk.sizeBytes, signal);
  const indexPath = await contentIndexOf(differ, base, {
    ...cancel,
    ancestors: (await lineOf(store, name, base)).slice(1),
    onProgress: (done, total) => {
      onProgress('indexing the base', done, total);
    },
  });
  onProgress('finding what the base explains');
  const residue = await differ.planResidue({ ...change, indexPath, ...cancel });
  try {
    const device = await packDevice(change);
    const machine = await store.machine(name);
    const input = await inputBetween(options, machine);
    const virtualTime = machine.clock === 'virtual';
    const sealedLog =
      'log' in input
        ? sealBlob(
            await store.secret(name),
            LOG_PURPOSE,
            virtualTime ? packSessions(input.logs) : packInputLog(input.log),
          )
        : undefined;
    onProgress('estimating');
    const estimate = await residue.estimateBytes(cancel);
    const unknown = residue.counts.ram.unknown + residue.counts.disk.unknown;
    const plan = planMigration({
      wanted: options.strategy,
      optimize: options.optimize ?? 'bytes',
      noReplayBecause: whyNotReplayed(input, sealedLog),
      ...(virtualTime && 'log' in input
        ? { virtualTime: { inexactBecause: whyInexact(input) } }
        : {}),
      logBytes: sealedLog?.length ?? 0,
      replaySeconds: 'log' in input ? replaySeconds(input.log) : 0,
      shipBytes: estimate.ramBytes + estimate.diskBytes + device.length,
      unexplainedBytes: estimate.ramBytes + estimate.diskBytes,
      exchangeBytes: residue.questions.length + unknown / 8,
      bytesPerSecond: options.bytesPerSecond,
    });
    return { base, change, diskOrder, residue, input, sealedLog, virtualTime, device, plan };
  } catch (error) {
    await residue.close();
    throw error;
  }
}

/** The input of every session after `base`, up to `head`. */
async function inputBetween(options: AnalysisOptions, machine: Machine): Promise<SessionInput> {
  const { store, name, base, head, effects } = options;
  const line = await lineOf(store, name, head);
  const newer = line.slice(
    0,
    line.findIndex((snapshot) => snapshot.root === base.root),
  );
  const input = await readSessionInput(store, name, newer.reverse(), effects);
  const because =
    'logs' in input ? whyNotExact(machine, options.virtualTime, input.logs) : undefined;
  return because === undefined ? input : { because };
}

function whyNotReplayed(
  input: SessionInput,
  sealedLog: Uint8Array | undefined,
): string | undefined {
  if ('because' in input) return input.because;
  return sealedLog !== undefined && sealedLog.length > MAX_INPUT_LOG_BYTES
    ? 'the input log, with the network frames in it, is larger than a log may be that travels'
    : undefined;
}
