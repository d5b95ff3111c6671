import { randomUUID } from 'node:crypto';
import { join } from 'node:path';

import {
  analyse,
  openStore,
  RecordedGaps,
  replaySession,
  stateOf,
  type Analysis,
  type PacingStrategy,
  type Replayed,
  type Snapshot,
  type SnapshotStore,
} from '@reprise/core';
import { Differ } from '@reprise/differ';

import { headOf, recordingOf, type Recording } from '../bytes/recording.js';
import { createScratchDirectory, flattenDisk, snapshotFiles } from '../fixture/index.js';

import { digestsOfFiles } from './guest-files.js';
import type { FidelitySession } from './sessions.js';

/** How one replay of a recorded session ended. */
export interface FidelityRun {
  readonly pacing: string;
  readonly outcome: string;
  /** The last screen of the session was there at the end. */
  readonly sameScreen: boolean;
  readonly sameFiles: boolean;
  /** Files that were not the same. */
  readonly otherFiles: readonly string[];
  readonly anchors: number;
  readonly missed: readonly { readonly index: number; readonly reason: string }[];
  readonly replaySeconds: number;
  readonly sessionSeconds: number;
  /** What a migration would send for what the replay did not produce. */
  readonly residueBytes: number;
}

export interface FidelityOptions {
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
}

/** Every gap as it was: what faster replays are compared with. */
export const originalPacing: PacingStrategy = new RecordedGaps({ thinkTimeCapMs: Infinity });

/** A recorded session, opened once for several replays. */
export class FidelityLaboratory implements AsyncDisposable {
  readonly #subject: FidelitySession;
  readonly #options: FidelityOptions;
  readonly #stores: readonly [SnapshotStore, SnapshotStore];
  readonly #differ: Differ;
  readonly #base: Snapshot;
  readonly #analysis: Analysis;
  readonly #expected: Readonly<Record<string, string | null>>;

  private constructor(
    subject: FidelitySession,
    options: FidelityOptions,
    stores: readonly [SnapshotStore, SnapshotStore],
    differ: Differ,
    base: Snapshot,
    analysis: Analysis,
    expected: Readonly<Record<string, string | null>>,
  ) {
    this.#subject = subject;
    this.#options = options;
    this.#stores = stores;
    this.#differ = differ;
    this.#base = base;
    this.#analysis = analysis;
    this.#expected = expected;
  }

  static async open(
    subject: FidelitySession,
    options: FidelityOptions,
  ): Promise<FidelityLaboratory> {
    const recording = await recordingOf(subject.session, options);
    const source = await openStore({ home: recording.a });
    const store = await openStore({ home: recording.b });
    const differ = new Differ({ fingerprint: { algorithm: 'xxh3', key: new Uint8Array(32) } });
    try {
      const base = await headOf(store, recording.vm);
      const analysis = await analyse({
        ...{ store: source, differ, name: recording.vm, strategy: 'replay' },
        head: await headOf(source, recording.vm),
        base: await source.snapshot(recording.vm, base.root),
        ...{ bytesPerSecond: undefined, signal: options.signal, onProgress: () => undefined },
      });
      const expected = await expectedFiles(recording, subject.files, options);
      return new FidelityLaboratory(
        ...([subject, options, [source, store], differ, base, analysis, expected] as const),
      );
    } catch (error) {
      await differ.close();
      await store.close();
      await source.close();
      throw error;
    }
  }

  async run(pacing?: PacingStrategy): Promise<FidelityRun> {
    const { input } = this.#analysis;
    if (!('log' in input)) throw new Error(`The session cannot be replayed: ${input.because}.`);
    const { signal } = this.#options;
    const store = this.#stores[1];
    const migration = randomUUID();
    await using replayed = await replaySession({
      ...{ store, differ: this.#differ, base: this.#base, migration, log: input.log },
      ...(pacing === undefined ? {} : { pacing }),
      signal: signal ?? new AbortController().signal,
      onProgress: () => undefined,
    });
    const { report } = replayed;
    const missed = report.missed ?? [];
    const otherFiles = await this.#otherFiles(migration);
    return {
      ...{ pacing: report.pacing, outcome: report.outcome, otherFiles, missed },
      sameScreen:
        report.outcome === 'complete' && !missed.some(({ index }) => index === report.events),
      sameFiles: otherFiles.length === 0,
      anchors: report.anchors,
      replaySeconds: report.seconds,
      sessionSeconds: report.sessionSeconds,
      residueBytes: await this.#residueBytes(replayed),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#analysis.residue.close();
    await this.#differ.close();
    for (const store of this.#stores) await store.close();
  }

  async #otherFiles(migration: string): Promise<string[]> {
    const copy = await this.#stores[1].workingCopy(this.#base.vm, migration);
    if (copy === undefined) return [...this.#subject.files];
    await using scratch = await createScratchDirectory(this.#options.directory, 'replayed');
    const image = join(scratch.path, 'disk.raw');
    const { base, layers, overlay } = copy.disk;
    await flattenDisk({ base, layers: [...layers, overlay] }, image, this.#options);
    const found = await digestsOfFiles(image, this.#subject.files);
    return this.#subject.files.filter((path) => found[path] !== this.#expected[path]);
  }

  async #residueBytes({ produced }: Replayed): Promise<number> {
    const { residue, device } = this.#analysis;
    const baseState = await stateOf(this.#base);
    let bytes = device.length;
    const known =
      produced === undefined
        ? undefined
        : (
            await this.#differ.answerQuestions({
              questions: residue.questions,
              base: baseState,
              replay: produced.state,
              changed: produced.changed,
            })
          ).bits;
    for await (const frame of residue.encode(known === undefined ? {} : { known }))
      bytes += frame.bytes.length;
    return bytes;
  }
}

async function expectedFiles(
  { a, vm }: Recording,
  files: readonly string[],
  { directory, signal }: FidelityOptions,
): Promise<Readonly<Record<string, string | null>>> {
  await using scratch = await createScratchDirectory(directory, 'expected');
  const { disk } = await snapshotFiles(a, vm, scratch.path, { signal });
  const digests = await digestsOfFiles(disk, files);
  const missing = files.filter((path) => digests[path] === null);
  if (missing.length > 0) {
    throw new Error(`The session did not leave ${missing.join(', ')}. Correct its list of files.`);
  }
  return digests;
}
