import { createScratchDirectory, type TemporaryDirectory } from '../fixture/directories.js';
import type { Session } from '../session/index.js';

import type { Ablation } from './ablation.js';
import type { Job } from './job-queue.js';
import { keptResult } from './kept-results.js';
import { Laboratory, rootsOf, type Roots } from './laboratory.js';
import { measureMigration, type LiveMethod } from './live-methods.js';
import { noMethods, type Methods } from './method-bytes.js';
import {
  ablation,
  oracles,
  recordedReplay,
  stateMethods,
  type Bench,
  type OfflineMethod,
} from './offline-methods.js';
import { toolVersion } from './other-tools.js';
import { ramMap, type PageMap } from './page-map.js';
import { recordingOf, type Recording } from './recording.js';
import { verdictsOf, type Verdict } from './verdicts.js';

export interface SessionBytes {
  /** Begins with the name that people know it by: edit, terminal, browse, … */
  readonly name: string;
  readonly title: string;
  readonly changed: { readonly ramPages: number; readonly diskBlocks: number };
  readonly methods: Readonly<Methods>;
  /** Seconds of both migrations, of which the link is 5 Mbit/s. */
  readonly seconds: { readonly ship: number | null; readonly replay: number | null };
  /** Both fronts of the race in `replay`. */
  readonly race: LiveMethod['race'];
  readonly ablation: Ablation | null;
  readonly map: PageMap | null;
  readonly verdicts: readonly Verdict[];
}

export interface BytesOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress: (text: string) => void;
  readonly directory: string;
  /** Of the packages that migrate. */
  readonly build: string;
  /** Totals in virtual time by session. */
  readonly virtual: ReadonlyMap<string, NonNullable<Methods['virtual']>>;
  /** After each method. */
  readonly onChange: () => Promise<void>;
}

/** The methods of one session: first those that need VMs, one after the other; then jobs that need none. */
export class SessionMeasurement {
  readonly #session: Session;
  readonly #name: string;
  readonly #options: BytesOptions;
  readonly #methods: Methods = noMethods();
  readonly #seconds: { ship: number | null; replay: number | null } = { ship: null, replay: null };
  #changed = { ramPages: 0, diskBlocks: 0 };
  #race: LiveMethod['race'] = [];
  #ablation: Ablation | null = null;
  #map: PageMap | null = null;
  #recorded: { recording: Recording; roots: Roots } | undefined;
  #open: { lab: Laboratory; scratch: TemporaryDirectory } | undefined;

  constructor(session: Session, name: string, options: BytesOptions) {
    this.#session = session;
    this.#name = name;
    this.#options = options;
    this.#methods.virtual = options.virtual.get(name) ?? null;
  }

  get result(): SessionBytes {
    return {
      ...{ name: this.#name, title: this.#session.title, changed: this.#changed },
      ...{ methods: this.#methods, seconds: this.#seconds, race: this.#race },
      ...{ ablation: this.#ablation, map: this.#map },
      verdicts: verdictsOf(this.#name, this.#methods),
    };
  }

  /** Records the session where that has not been done, and migrates it with and without a replay. */
  async migrate(): Promise<void> {
    const recording = await recordingOf(this.#session, this.#options);
    const roots = await rootsOf(recording);
    this.#recorded = { recording, roots };
    for (const strategy of ['ship', 'replay'] as const) {
      const options = { ...this.#options, session: this.#session, recording, roots };
      const { bytes, seconds, race } = await measureMigration(strategy, options);
      this.#methods[strategy] = bytes;
      this.#seconds[strategy] = seconds;
      if (strategy === 'replay') this.#race = race;
      await this.#options.onChange();
    }
  }

  /** What {@link migrate} must have come before; the last job closes what the first opened. */
  jobs(): Job[] {
    const jobs: Job[] = [
      this.#job(recordedReplay, (bytes) => (this.#methods.recordedReplay = bytes)),
      this.#job(ablation, (found) => (this.#ablation = found)),
      this.#job(mapping, ({ map, changed }) => {
        this.#map = map;
        this.#changed = changed;
      }),
      ...(Object.keys(stateMethods) as (keyof typeof stateMethods)[]).map((key) =>
        this.#job(stateMethods[key], (bytes) => (this.#methods[key] = bytes)),
      ),
      this.#job(oracles, ({ oracle, fullOracle }) => {
        this.#methods.oracle = oracle;
        this.#methods.fullOracle = fullOracle;
      }),
    ];
    let left = jobs.length;
    return jobs.map((job) => ({
      needsMiB: job.needsMiB,
      run: async () => {
        await job.run();
        left--;
        if (left === 0) await this[Symbol.asyncDispose]();
      },
    }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.lab[Symbol.asyncDispose]();
    await open?.scratch[Symbol.asyncDispose]();
  }

  #job<T>(method: OfflineMethod<T>, take: (result: T) => void): Job {
    const run = async () => {
      this.#options.signal?.throwIfAborted();
      take(await this.#measured(method));
      await this.#options.onChange();
    };
    return { needsMiB: method.needsMiB, run };
  }

  /** What the method, these versions of its programs and these states gave before, or what it gives now. */
  async #measured<T>(method: OfflineMethod<T>): Promise<T> {
    const { onProgress, build, signal } = this.#options;
    const recorded = this.#recorded;
    const replay = this.#methods.replay;
    if (recorded === undefined || replay === null) throw new Error('Migrate first.');
    const { base, plain, squeezed } = recorded.roots;
    const versions = await Promise.all(method.programs.map(toolVersion));
    const inputs = [
      ...['offline', method.title, method.version, ...versions, base, plain, squeezed],
      // The log and what frames it come from the migration.
      ...(method.ours ? [build, replay.log + replay.control] : []),
    ];
    return await keptResult(inputs, async () => {
      onProgress(method.title);
      const { lab, scratch } = await this.#laboratory(recorded.recording);
      await using own = await createScratchDirectory(scratch.path, 'method');
      const bench: Bench = {
        ...{ lab, recording: recorded.recording, replay, directory: own.path, signal, onProgress },
      };
      return await method.measure(bench);
    });
  }

  async #laboratory(recording: Recording) {
    // Two jobs may ask at once: the first one's promise is everybody's.
    this.#opening ??= (async () => {
      const scratch = await createScratchDirectory(this.#options.directory, 'bytes');
      this.#open = { scratch, lab: await Laboratory.open(recording, scratch.path) };
      return this.#open;
    })();
    return await this.#opening;
  }
  #opening: Promise<{ lab: Laboratory; scratch: TemporaryDirectory }> | undefined;
}

const mapping: OfflineMethod<{ map: PageMap; changed: { ramPages: number; diskBlocks: number } }> =
  {
    ...{ version: 1, programs: [], ours: true, needsMiB: 300, title: 'a map of memory' },
    measure: async ({ lab }) => ({ map: await ramMap(lab), changed: lab.changedCounts }),
  };
