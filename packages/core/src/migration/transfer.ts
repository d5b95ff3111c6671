import type { Differ, PageRuns, ResidueFrame } from '@reprise/differ';

import { RepriseError, throwIfCancelled } from '../errors.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

import type { Analysis } from './analysis.js';
import { differingEnds } from './divergence.js';
import { whyInexact } from './exact-replay.js';
import type { Tell } from './progress.js';
import { race, type Race } from './race.js';
import { sendRepair } from './repair.js';
import type { MigrationReport } from './report.js';
import type { Stopwatch } from './stopwatch.js';

const MAX_REPAIRS = 3;
const NO_PAGES: PageRuns = new BigUint64Array(0);

/** The stages that are timed. */
export type Timed = 'plan' | 'replay' | 'residue' | 'prove' | 'handoff';

export interface TransferOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly name: string;
  readonly channel: Channel;
  readonly analysis: Analysis;
  /** The snapshot that is to travel. */
  readonly head: Snapshot;
  /** Of the handoff that was offered. */
  readonly migration: string;
  readonly optimize: 'bytes' | 'time';
  readonly signal: AbortSignal | undefined;
  readonly watch: Stopwatch<Timed>;
  readonly tell: Tell;
  readonly note: (sentence: string) => void;
}

/** What travelled, and how. */
export interface Transferred {
  readonly pages: MigrationReport['pages'];
  readonly repairedPages: number;
  /** A replay alone came to the very state, and nothing of it travelled. */
  readonly exact: boolean;
  /** Undefined where nothing was replayed. */
  readonly raced: Race | undefined;
}

/** Brings the state over, from the plan to the proof, by what the plan says. */
export async function transfer(options: TransferOptions): Promise<Transferred> {
  return await new Transfer(options).run();
}

class Transfer {
  readonly #o: TransferOptions;
  readonly #pages = { ram: noPages(), disk: noPages() };
  #raced: Race | undefined;
  #repairedPages = 0;
  #exact = false;

  constructor(options: TransferOptions) {
    this.#o = options;
  }

  async run(): Promise<Transferred> {
    const { watch, analysis, head } = this.#o;
    const sealedLog = await this.#announce();
    // Where the target is there already, nothing is left but to say so.
    if (analysis.base.root !== head.root) await this.#bringOver(sealedLog);
    await watch.time('prove', () => this.#prove());
    return {
      pages: this.#pages,
      repairedPages: this.#repairedPages,
      exact: this.#exact,
      raced: this.#raced,
    };
  }

  async #bringOver(sealedLog: Uint8Array | undefined): Promise<void> {
    const { watch, channel } = this.#o;
    let known: readonly Uint8Array[] | undefined;
    if (sealedLog !== undefined) {
      const raced = await watch.time('replay', () => this.#race(sealedLog));
      this.#raced = raced;
      if (this.#isExact(raced)) {
        this.#exact = true;
        await channel.send('adopt', {});
        return;
      }
      if (raced.worthAsking) known = await this.#ask();
    }
    await watch.time('residue', () => this.#sendResidue(known));
  }

  /** Says what will come; gives the log when it is to be replayed. */
  async #announce(): Promise<Uint8Array | undefined> {
    const { channel, analysis, migration, optimize } = this.#o;
    const { input, plan, base, sealedLog, virtualTime } = analysis;
    const replays = plan.strategy === 'replay' && 'log' in input;
    await channel.send('plan', {
      ...{ base: base.root, migration, strategy: plan.strategy },
      ...(analysis.change.device.split ? { devicePages: true } : {}),
      fronts: replays && optimize === 'time' && !virtualTime,
      ...(replays && virtualTime ? { exact: true } : {}),
    });
    return replays ? sealedLog : undefined;
  }

  /** The destination replays, and the residue goes ahead where time counts. */
  async #race(sealedLog: Uint8Array): Promise<Race> {
    const { store, name, channel, head, analysis, optimize, signal, tell, note } = this.#o;
    const raced = await race({
      ...{ channel, sealedLog, head, optimize, analysis },
      key: await store.deriveKey(name, 'replayed-blocks'),
      onFrame: (frame) => {
        this.#count(frame);
      },
      onProgress: (events, total) => {
        tell('replay', 'the destination replays', events, total);
      },
    });
    throwIfCancelled(signal);
    if (raced.stopped !== undefined) note(`The replay was stopped: ${raced.stopped}.`);
    this.#noteReplay(raced);
    return raced;
  }

  /** The replay came to the very state that is to travel. */
  #isExact({ report: { state, marks } }: Race): boolean {
    if (state === undefined) return false;
    const { head, analysis, note } = this.#o;
    const different = differingEnds(state, head);
    if (different.length === 0) return true;
    const { input } = analysis;
    const foreseen = 'log' in input ? whyInexact(input) : undefined;
    const why =
      foreseen ??
      `${different.join(', ')} differ, and the ${String(marks ?? 0)} marks before do not`;
    note(`The replay in virtual time was not exact (${why}); what differs was shipped.`);
    return false;
  }

  /** Asks which of the unexplained pages the replay has produced; a second time where that is expected to pay. */
  async #ask(): Promise<readonly Uint8Array[]> {
    const { channel, tell } = this.#o;
    const { residue } = this.#o.analysis;
    const { ram, disk } = residue.counts;
    if (ram.unknown + disk.unknown === 0) return []; // the base explains everything
    tell('residue', 'comparing with the replay');
    await channel.send('questions', residue.questions);
    const rounds = [(await channel.receive('answers')).content];
    const more = await residue.moreQuestions(rounds[0] ?? new Uint8Array(0));
    if (more !== undefined) {
      await channel.send('questions', more);
      rounds.push((await channel.receive('answers')).content);
    }
    return rounds;
  }

  async #sendResidue(known: readonly Uint8Array[] | undefined): Promise<void> {
    const { channel, optimize, signal, tell } = this.#o;
    const { residue, diskOrder, device } = this.#o.analysis;
    const total = residue.counts.ram.unknown + residue.counts.disk.unknown;
    let done = 0;
    await channel.send('residueStart', {});
    const frames = residue.encode({
      applied: this.#raced?.shipped ?? { ram: NO_PAGES, disk: NO_PAGES },
      diskOrder,
      ...(known === undefined ? {} : { known }),
      ...(optimize === 'time' ? { level: 'adaptive' as const } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const frame of frames) {
      await channel.send(frame.space === 'ram' ? 'ramResidue' : 'diskResidue', frame.bytes);
      this.#count(frame);
      done += frame.counts.delta + frame.counts.replay;
      tell('residue', 'sending what still differs', Math.min(done, total), total);
    }
    await channel.send('device', device);
  }

  /** The destination computes the root of what it holds; what does not prove is sent again. */
  async #prove(): Promise<void> {
    const { channel, differ, head, analysis, tell, note } = this.#o;
    const { ram, disk, device } = head.manifest;
    for (let attempt = 0; ; attempt++) {
      tell('prove', 'proving');
      await channel.send('root', {
        root: head.root,
        ramRoot: ram.root,
        diskRoot: disk.root,
        deviceDigest: device.sha256,
        deviceBytes: device.sizeBytes,
        createdAt: head.manifest.createdAt,
      });
      const { content } = await channel.receive('proof');
      if (content.equal) return;
      if (attempt === MAX_REPAIRS) {
        throw new RepriseError(
          'PROOF_FAILED',
          `The state at ${channel.peerName} does not prove equal after ${String(MAX_REPAIRS)} repairs (${content.broken.join(', ')}). Nothing was handed over. Run reprise verify on both hosts.`,
        );
      }
      note(`The first proof failed (${content.broken.join(', ')}); the pages were sent again.`);
      this.#repairedPages += await sendRepair({
        ...{ channel, differ, head, target: analysis.change.target, broken: content.broken },
      });
    }
  }

  #count({ space, counts }: ResidueFrame): void {
    const sums = this.#pages[space];
    for (const kind of ['zero', 'base', 'twin', 'replay', 'delta'] as const) {
      sums[kind] += counts[kind];
    }
  }

  #noteReplay({ report, stopped }: Race): void {
    const { note } = this.#o;
    const { outcome, reason = outcome } = report;
    if (outcome === 'diverged')
      note(`The replay went another way than the session (${reason}); what it missed was shipped.`);
    else if (outcome !== 'complete' && stopped === undefined)
      note(`The replay ended early (${reason}); what it missed was shipped.`);
    report.notes?.forEach(note);
    if (report.anchorsMissed > 0) {
      note(
        `${String(report.anchorsMissed)} of ${String(report.anchors)} recorded screens did not appear in the replay${firstMiss(report)}.`,
      );
    }
  }
}

/** Where a replay went another way first: what comes after it is seldom news. */
function firstMiss({ missed }: Content<'replayReport'>): string {
  const first = missed?.[0];
  if (first === undefined) return '';
  return `; the first was to come ${(first.atMs / 1000).toFixed(1)} s into the session: ${first.reason}`;
}

function noPages() {
  return { zero: 0, base: 0, twin: 0, replay: 0, delta: 0 };
}
