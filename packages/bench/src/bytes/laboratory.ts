import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import {
  changeBetween,
  openStore,
  packDevice,
  type Change,
  type Snapshot,
  type SnapshotStore,
} from '@reprise/core';
import { compress, Differ, type Answers, type ResiduePlan } from '@reprise/differ';

import type { StateFiles } from '../baseline/index.js';
import { snapshotFiles } from '../fixture/index.js';

import { headOf, replayedState, type Recording } from './recording.js';

/** The roots that name the states of a recording: with them the key of every kept result. */
export interface Roots {
  readonly base: string;
  readonly plain: string;
  readonly squeezed: string;
}

export async function rootsOf(recording: Recording): Promise<Roots> {
  const root = async (home: string) => {
    await using store = await openStore({ home });
    return (await headOf(store, recording.vm)).root;
  };
  const { a, plain, b } = recording;
  return { base: await root(b), plain: await root(plain), squeezed: await root(a) };
}

/** The states of a recording, open for the differ; the expensive parts are made when they are first asked for. */
export class Laboratory implements AsyncDisposable {
  readonly differ = new Differ({
    fingerprint: { algorithm: 'xxh3', key: new Uint8Array(32).fill(1) },
  });
  readonly #opened: AsyncDisposable[] = [];
  readonly #recording: Recording;
  readonly #directory: string;
  readonly #stores: {
    readonly a: SnapshotStore;
    readonly plain: SnapshotStore;
    readonly b: SnapshotStore;
  };
  readonly #heads: { readonly base: Snapshot; readonly plain: Snapshot; readonly a: Snapshot };
  readonly #once = new Map<string, Promise<unknown>>();

  private constructor(
    recording: Recording,
    directory: string,
    stores: { a: SnapshotStore; plain: SnapshotStore; b: SnapshotStore },
    heads: { base: Snapshot; plain: Snapshot; a: Snapshot },
  ) {
    this.#recording = recording;
    this.#directory = directory;
    this.#stores = stores;
    this.#heads = heads;
  }

  static async open(recording: Recording, directory: string): Promise<Laboratory> {
    const a = await openStore({ home: recording.a });
    const plain = await openStore({ home: recording.plain });
    const b = await openStore({ home: recording.b });
    const heads = {
      base: await headOf(b, recording.vm),
      plain: await headOf(plain, recording.vm),
      a: await headOf(a, recording.vm),
    };
    return new Laboratory(recording, directory, { a, plain, b }, heads);
  }

  get changedCounts(): { ramPages: number; diskBlocks: number } {
    const { changed } = this.#heads.plain.manifest;
    return { ramPages: changed?.ramPages ?? 0, diskBlocks: changed?.diskBlocks ?? 0 };
  }

  /** From the base to what was suspended after a squeeze. */
  change(): Promise<Change> {
    return this.#first('change', async () => {
      const base = await this.#stores.a.snapshot(this.#recording.vm, this.#heads.base.root);
      return await changeBetween(this.differ, base, this.#heads.a);
    });
  }

  /** From the base to what the session left, not squeezed. */
  plainChange(): Promise<Change> {
    return this.#first('plain change', async () => {
      const base = await this.#stores.plain.snapshot(this.#recording.vm, this.#heads.base.root);
      return await changeBetween(this.differ, base, this.#heads.plain);
    });
  }

  indexPath(): Promise<string> {
    return this.#first('index', async () => {
      const path = join(this.#directory, 'index');
      await this.differ.buildIndex((await this.change()).base, path);
      return path;
    });
  }

  plan(): Promise<ResiduePlan> {
    return this.#plan('plan', () => this.change());
  }

  plainPlan(): Promise<ResiduePlan> {
    return this.#plan('plain plan', () => this.plainChange());
  }

  #plan(name: string, change: () => Promise<Change>): Promise<ResiduePlan> {
    return this.#first(name, async () => {
      const indexPath = await this.indexPath();
      const plan = await this.differ.planResidue({ ...(await change()), indexPath });
      this.#opened.push(plan);
      return plan;
    });
  }

  replay() {
    return this.#first('replay', () => replayedState(this.#recording, this.#stores.b));
  }

  /** What the replay is known to hold after as many rounds of questions as a migration asks, and what asking took. */
  exchange(): Promise<Exchange> {
    return this.#first('exchange', async () => {
      const plan = await this.plan();
      const { state, changed } = await this.replay();
      const asked = { base: (await this.change()).base, replay: state, changed };
      const first = await this.differ.answerQuestions({ questions: plan.questions, ...asked });
      const rounds = [first.bits];
      let bytes = plan.questions.length + first.bits.length;
      const questions = await plan.moreQuestions(first.bits);
      if (questions === undefined) return { answers: first, first, rounds, bytes };
      const answers = await this.differ.answerQuestions({ questions, ...asked, earlier: first });
      rounds.push(answers.bits);
      bytes += questions.length + answers.bits.length;
      return { answers, first, rounds, bytes };
    });
  }

  /** The states as plain files, for other tools. */
  files(signal: AbortSignal | undefined) {
    return this.#first('files', async () => {
      const { vm, a, plain, b } = this.#recording;
      const of = (home: string, name: string): Promise<StateFiles> =>
        snapshotFiles(home, vm, join(this.#directory, name), { signal });
      return {
        base: await of(b, 'base'),
        plain: await of(plain, 'plain'),
        squeezed: await of(a, 'squeezed'),
      };
    });
  }

  /** Of the squeezed state: what travels of it beside its pages, and all of it against the base's and against nothing. */
  deviceBytes(): Promise<{ delta: number; whole: number; alone: number }> {
    return this.#first('device', async () => {
      const reference = await readFile(this.#heads.base.paths.device);
      const device = await readFile(this.#heads.a.paths.device);
      return {
        delta: (await packDevice(await this.change())).length,
        whole: (await compress(device, { reference })).length,
        alone: (await compress(device)).length,
      };
    });
  }

  #first<T>(name: string, make: () => Promise<T>): Promise<T> {
    const known = this.#once.get(name) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const made = make();
    this.#once.set(name, made);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#once.values());
    for (const plan of this.#opened) await plan[Symbol.asyncDispose]();
    await this.differ.close();
    for (const store of Object.values(this.#stores)) await store.close();
  }
}

export interface Exchange {
  readonly answers: Answers;
  /** Of the first round alone. */
  readonly first: Answers;
  /** Bits of each round, as the encoder takes them. */
  readonly rounds: readonly Uint8Array[];
  /** Questions and answers, both directions. */
  readonly bytes: number;
}
