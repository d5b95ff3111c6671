import { randomUUID } from 'node:crypto';

import {
  analyse,
  openStore,
  replaySession,
  type Analysis,
  type PacingStrategy,
  type Replayed,
  type Snapshot,
  type SnapshotStore,
} from '@reprise/core';
import { Differ } from '@reprise/differ';

import { headOf, recordingOf, type Recording } from '../bytes/recording.js';

import { askTheOriginal, askTheReplayed, type Expected, type Found } from './inspection.js';
import { tilesThatDiffer } from './screen.js';
import type { FidelitySession } from './sessions.js';

/** How one replay of a recorded session ended. */
export interface ReplayEnd {
  readonly outcome: string;
  /** The last screen is that of the session, but for the tiles that the session's file masks. */
  readonly sameScreen: boolean;
  /** Columns and rows of other tiles, the first ones; null: the screen has another size, or there is none. */
  readonly otherTiles: readonly (readonly [number, number])[] | null;
  readonly sameFiles: boolean;
  /** Files that were not the same. */
  readonly otherFiles: readonly string[];
  readonly anchors: number;
  readonly anchorsMissed: number;
  /** The first hundred. */
  readonly missed: readonly { readonly index: number; readonly reason: string }[];
  /** Whether the replay itself saw the last screen that the session recorded. */
  readonly endSeen: boolean | null;
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  /** Of the session's time: how much of it the guest's CPU had nothing to do. */
  readonly idleShare: number;
  /** What a migration would send for what the replay did not produce. */
  readonly residueBytes: number;
}

export interface LaboratoryOptions {
  readonly directory: string;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
  /** Told of the last screens: to be looked at where they differ. */
  readonly onScreens?: (replayed: Found['lastScreen'], original: Found['lastScreen']) => void;
}

interface Opened {
  readonly recording: Recording;
  readonly source: SnapshotStore;
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly base: Snapshot;
  readonly head: Snapshot;
  readonly analysis: Analysis;
  readonly expected: Expected;
}

const TILES_NAMED = 40;

/** A recorded session, opened once for several replays. */
export class FidelityLaboratory implements AsyncDisposable {
  readonly #subject: FidelitySession;
  readonly #options: LaboratoryOptions;
  readonly #o: Opened;

  private constructor(subject: FidelitySession, options: LaboratoryOptions, opened: Opened) {
    this.#subject = subject;
    this.#options = options;
    this.#o = opened;
  }

  static async open(
    subject: FidelitySession,
    options: LaboratoryOptions,
  ): Promise<FidelityLaboratory> {
    const recording = await recordingOf(subject.session, { ...options, replay: false });
    const source = await openStore({ home: recording.a });
    const store = await openStore({ home: recording.b });
    const differ = new Differ({ fingerprint: { algorithm: 'xxh3', key: new Uint8Array(32) } });
    try {
      const base = await headOf(store, recording.vm);
      const head = await headOf(source, recording.vm);
      options.onProgress("asking the session's own guest");
      const expected = await original(source, head, subject, options);
      const analysis = await analyse({
        ...{ store: source, differ, name: recording.vm, strategy: 'replay', head },
        base: await source.snapshot(recording.vm, base.root),
        ...{ bytesPerSecond: undefined, signal: options.signal, onProgress: () => undefined },
      });
      const opened = { recording, source, store, differ, base, head, analysis, expected };
      return new FidelityLaboratory(subject, options, opened);
    } catch (error) {
      await differ.close();
      await store.close();
      await source.close();
      throw error;
    }
  }

  /** Names what was recorded: the root of the snapshot that the session left. */
  get recordingRoot(): string {
    return this.#o.head.root;
  }

  async run(pacing: PacingStrategy): Promise<ReplayEnd> {
    const { store, differ, base, analysis } = this.#o;
    const { input } = analysis;
    if (!('log' in input)) throw new Error(`The session cannot be replayed: ${input.because}.`);
    const migration = randomUUID();
    await using replayed = await replaySession({
      ...{ store, differ, base, migration, pacing, log: input.log },
      signal: this.#options.signal,
      onProgress: () => undefined,
    });
    const { report } = replayed;
    // Before the guest goes on: what a migration would find.
    const residueBytes = await this.#residueBytes(replayed);
    const found = await this.#ask(migration, replayed);
    const otherTiles = this.#otherTiles(found);
    const { end } = input.log;
    const cpuMs = end?.anchor?.cpuMs ?? 0;
    return {
      ...{ outcome: report.outcome, residueBytes },
      sameScreen: report.outcome === 'complete' && otherTiles?.length === 0,
      otherTiles: otherTiles?.slice(0, TILES_NAMED) ?? null,
      sameFiles: found?.otherFiles.length === 0,
      otherFiles: found?.otherFiles ?? this.#subject.files.map(({ what }) => what),
      ...{ anchors: report.anchors, anchorsMissed: report.anchorsMissed },
      ...{ missed: report.missed ?? [], endSeen: report.endSeen ?? null },
      ...{ replaySeconds: report.seconds, sessionSeconds: report.sessionSeconds },
      idleShare: end === undefined ? 0 : Math.max(0, 1 - cpuMs / end.atMs),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { analysis, differ, store, source } = this.#o;
    await analysis.residue.close();
    await differ.close();
    await store.close();
    await source.close();
  }

  async #ask(migration: string, { produced }: Replayed): Promise<Found | undefined> {
    const { store, base, expected } = this.#o;
    const copy = await store.workingCopy(base.vm, migration);
    if (copy === undefined || produced === undefined) return undefined;
    const { signal } = this.#options;
    const { ram: ramFile, device: deviceState } = copy.paths;
    const state = { ramFile, chain: copy.disk, deviceState };
    return await askTheReplayed({ store, vm: base.vm, state, signal }, this.#subject, expected);
  }

  #otherTiles(found: Found | undefined): (readonly [number, number])[] | undefined {
    if (found === undefined) return undefined;
    const { lastScreen } = this.#o.expected;
    this.#options.onScreens?.(found.lastScreen, lastScreen);
    const masked = this.#subject.masked.map(({ tiles }) => tiles);
    return tilesThatDiffer(lastScreen, found.lastScreen, masked)?.map(({ x, y }) => [x, y]);
  }

  async #residueBytes({ produced }: Replayed): Promise<number> {
    const { differ, analysis } = this.#o;
    const { residue, device, change } = analysis;
    let bytes = device.length;
    const known =
      produced === undefined
        ? undefined
        : (
            await differ.answerQuestions({
              questions: residue.questions,
              base: change.base,
              replay: produced.state,
              changed: produced.changed,
            })
          ).bits;
    for await (const frame of residue.encode(known === undefined ? {} : { known }))
      bytes += frame.bytes.length;
    return bytes;
  }
}

/** Lets the session's own guest go on, on a copy, and asks it. */
async function original(
  source: SnapshotStore,
  head: Snapshot,
  subject: FidelitySession,
  { signal }: LaboratoryOptions,
): Promise<Expected> {
  const scratch = randomUUID();
  const { vm, root } = head;
  const copy = await source.createWorkingCopy(vm, { from: root, scratch, signal });
  try {
    const { resumeFrom, ram } = copy.paths;
    if (resumeFrom === undefined) throw new Error('The session left no device state.');
    const state = { ramFile: ram, chain: copy.disk, deviceState: resumeFrom };
    return await askTheOriginal({ store: source, vm, state, signal }, subject);
  } finally {
    await source.discardWorkingCopy(vm, scratch);
  }
}
