import { randomUUID } from 'node:crypto';

import { BLOCK_SIZE } from '@reprise/blkdriver-native';
import { countPages, type Differ, type PageRuns, type ResidueFrame } from '@reprise/differ';

import { RepriseError, throwIfCancelled } from '../errors.js';
import type { EffectPolicy } from '../gate/index.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore, VmRecord } from '../snapshot/index.js';

import { analyse, type Analysis } from './analysis.js';
import { offerExactReplay } from './exact-replay.js';
import { HandoffExchange } from './handoff-exchange.js';
import type { Plan } from './plan.js';
import type { OnProgress, Stage } from './progress.js';
import { race, type Race } from './race.js';
import { sendRepair } from './repair.js';
import type { MigrationReport } from './report.js';
import { sessionMs } from './session-log.js';
import { Stopwatch } from './stopwatch.js';
import { lineOf } from './target.js';

const MAX_REPAIRS = 3;

export interface SourceOptions {
  readonly store: SnapshotStore;
  readonly differ: Differ;
  readonly name: string;
  readonly channel: Channel;
  readonly strategy: 'auto' | 'replay' | 'ship';
  /** What to save: it decides how long a replay is waited for, and how densely the rest is coded. */
  readonly optimize: 'bytes' | 'time';
  /** What to do with input that had an effect in the world. */
  readonly effects: EffectPolicy;
  readonly resume: boolean;
  readonly dryRun: boolean;
  /** What the link carries, where it is known. */
  readonly bytesPerSecond: number | undefined;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: OnProgress;
}

/** What came of it: a report, or, for a dry run, the plan alone. */
export type SourceOutcome =
  | { readonly kind: 'migrated'; readonly report: MigrationReport; readonly plan: Plan }
  | {
      readonly kind: 'planned';
      readonly plan: Plan;
      readonly base: string;
      readonly target: string;
    }
  /** An earlier migration had only its last word missing; it has been said. */
  | { readonly kind: 'settled'; readonly target: string };

/** The source's side of one migration, from the greeting to the last word. */
export async function runSource(options: SourceOptions): Promise<SourceOutcome> {
  return await new SourceMigration(options).run();
}

type Timed = 'plan' | 'replay' | 'residue' | 'prove' | 'handoff';

const NO_PAGES: PageRuns = new BigUint64Array(0);

class SourceMigration {
  readonly #o: SourceOptions;
  readonly #handoff: HandoffExchange;
  readonly #watch = new Stopwatch<Timed>();
  readonly #startedAt = new Date().toISOString();
  readonly #notes: string[] = [];
  readonly #pages = { ram: noPages(), disk: noPages() };
  #raced: Race | undefined;
  #repairedPages = 0;

  constructor(options: SourceOptions) {
    this.#o = options;
    this.#handoff = new HandoffExchange(options.store.lease, options.name, options.channel);
  }

  async run(): Promise<SourceOutcome> {
    const { store, name, channel } = this.#o;
    const [vm, head] = [await store.vm(name), await this.#head()];
    const met = await this.#meet(vm, head);
    if (await this.#settle(met)) {
      await channel.send('bye', {});
      return { kind: 'settled', target: head.root };
    }
    const base = await this.#commonBase(met, head);
    const prepared = await this.#watch.time('plan', () => this.#analyse(head, base, met));
    await using _residue = prepared.residue;
    if (this.#o.dryRun) {
      await channel.send('bye', {});
      return { kind: 'planned', plan: prepared.plan, base: base.root, target: head.root };
    }
    const migration = await this.#offer(head.root);
    let resumed: boolean;
    try {
      await this.#transfer(prepared, head, migration);
      resumed = await this.#watch.time('handoff', () => this.#handOver());
    } catch (error) {
      await this.#takeBack();
      throw error;
    }
    await store.recordPeer(name, channel.peer.host, head.root, channel.peerName);
    return {
      kind: 'migrated',
      plan: prepared.plan,
      report: this.#report(vm, head, prepared, migration, resumed),
    };
  }

  async #head(): Promise<Snapshot> {
    const { store, name } = this.#o;
    const head = await store.head(name);
    if (head !== undefined) return head;
    throw new RepriseError(
      'NO_COMMON_BASE',
      `'${name}' has never been suspended, so there is no state to move. Start it, suspend it, and seed it to the destination.`,
    );
  }

  async #meet(vm: VmRecord, head: Snapshot): Promise<Content<'met'>> {
    const { store, name, channel } = this.#o;
    this.#tell('meet', `meeting ${channel.peerName}`);
    const line = await lineOf(store, name, head);
    const machine = await store.machine(name);
    const virtualTime = await offerExactReplay(machine);
    await channel.send('meet', {
      vm: vm.id,
      name,
      machine,
      ...(virtualTime === undefined ? {} : { virtualTime }),
      target: head.root,
      bases: line.slice(1, 65).map((snapshot) => snapshot.root),
      resume: this.#o.resume,
      handoff: await this.#handoff.contact(),
      occupiedBytes:
        line.reduce((sum, { manifest }) => sum + (manifest.changed?.diskBlocks ?? 0), 0) *
        BLOCK_SIZE,
    });
    const { content } = await channel.receive('met');
    return content;
  }

  /** Finishes what an earlier attempt left between release and ownership. True when that was all. */
  async #settle(met: Content<'met'>): Promise<boolean> {
    await this.#handoff.send(await this.#handoff.hear(met.handoff));
    while ((await this.#handoff.state()).kind === 'released') await this.#handoff.next();
    const state = await this.#handoff.state();
    if (state.kind === 'holds' || state.kind === 'offering') return false;
    return true;
  }

  async #commonBase(met: Content<'met'>, head: Snapshot): Promise<Snapshot> {
    const { store, name, channel } = this.#o;
    if (met.obstacles.length > 0) {
      throw new RepriseError(
        'INCOMPATIBLE_PEER',
        `${channel.peerName} cannot take '${name}': ${met.obstacles.join('; ')}. Remove the obstacle there, then migrate again.`,
        { context: { obstacles: met.obstacles } },
      );
    }
    if (met.complete) return head;
    if (met.base === undefined) {
      const why = met.known ? 'holds no snapshot of it that this host has too' : 'does not know it';
      throw new RepriseError(
        'NO_COMMON_BASE',
        `${channel.peerName} ${why}. Send it a base first: reprise seed ${name} ${channel.peerName}`,
      );
    }
    return await store.snapshot(name, met.base);
  }

  async #analyse(head: Snapshot, base: Snapshot, met: Content<'met'>): Promise<Analysis> {
    const { strategy } = this.#o;
    const analysis = await analyse({
      ...this.#o,
      ...{ head, base },
      virtualTime: met.virtualTime,
      onProgress: (text, done, total) => {
        this.#tell('plan', text, done, total);
      },
    });
    const { plan } = analysis;
    if (strategy === 'replay' && plan.strategy === 'ship') {
      this.#notes.push(`No replay: ${plan.reason}.`);
    }
    return analysis;
  }

  /** Opens the handoff, or goes on with the one that an interrupted attempt left open. */
  async #offer(root: string): Promise<string> {
    const peer = this.#o.channel.peer.host;
    const state = await this.#handoff.state();
    if (state.kind === 'offering') {
      if (state.offer.root === root && state.offer.peer === peer) return state.offer.migration;
      await this.#handoff.apply({ type: 'cancel' });
    }
    const migration = randomUUID();
    await this.#handoff.apply({ type: 'begin', migration, root, peer });
    return migration;
  }

  async #transfer(prepared: Analysis, head: Snapshot, migration: string): Promise<void> {
    const { channel } = this.#o;
    const { input, plan, base, sealedLog } = prepared;
    const replays = plan.strategy === 'replay' && 'log' in input && sealedLog !== undefined;
    await channel.send('plan', {
      base: base.root,
      migration,
      strategy: plan.strategy,
      sessionMs: replays ? Math.round(sessionMs(input.log)) : 0,
      fronts: replays && this.#o.optimize === 'time' && !prepared.exact,
      ...(replays && prepared.exact ? { exact: true } : {}),
    });
    let known: readonly Uint8Array[] | undefined;
    if (replays) {
      const raced = await this.#watch.time('replay', () => this.#race(prepared, head, sealedLog));
      this.#raced = raced;
      if (this.#isExact(raced, head, prepared)) {
        await channel.send('adopt', {});
        await this.#watch.time('prove', () => this.#prove(prepared, head));
        return;
      }
      if (raced.report.outcome !== 'failed' && !raced.complete) known = await this.#ask(prepared);
    }
    await this.#watch.time('residue', () => this.#sendResidue(prepared, known));
    await this.#watch.time('prove', () => this.#prove(prepared, head));
  }

  /** The destination replays, and the residue goes ahead where time counts. */
  async #race(prepared: Analysis, head: Snapshot, sealedLog: Uint8Array): Promise<Race> {
    const { store, name, channel, optimize, signal } = this.#o;
    const raced = await race({
      ...{ channel, sealedLog, head, optimize, analysis: prepared },
      key: await store.deriveKey(name, 'replayed-blocks'),
      onFrame: (frame) => {
        this.#count(frame);
      },
      onProgress: (events, total) => {
        this.#tell('replay', 'the destination replays', events, total);
      },
    });
    throwIfCancelled(signal);
    if (raced.stopped !== undefined) this.#notes.push(`The replay was stopped: ${raced.stopped}.`);
    this.#noteReplay(raced);
    return raced;
  }

  /** The replay came to the very state that is to travel. */
  #isExact({ report: { state } }: Race, { manifest }: Snapshot, { input }: Analysis): boolean {
    if (state === undefined) return false;
    const { ram, disk, device } = manifest;
    const different = [
      ...(state.ramRoot === ram.root ? [] : ['memory']),
      ...(state.diskRoot === disk.root ? [] : ['the disk']),
      ...(state.deviceDigest === device.sha256 ? [] : ['the devices']),
    ];
    if (different.length === 0) return true;
    const unlogged =
      'log' in input && input.logs.some((log) => log.framesMissingFromMs !== undefined);
    const why = unlogged
      ? 'the input log does not have all the network frames that the guest got'
      : `${different.join(', ')} differ`;
    this.#notes.push(
      `The replay in virtual time was not exact (${why}); what differs was shipped.`,
    );
    return false;
  }

  /** Asks which of the unexplained pages the replay has produced; a second time where that is expected to pay. */
  async #ask({ residue }: Analysis): Promise<readonly Uint8Array[]> {
    const { channel } = this.#o;
    this.#tell('residue', 'comparing with the replay');
    await channel.send('questions', residue.questions);
    const rounds = [(await channel.receive('answers')).content];
    const more = await residue.moreQuestions(rounds[0] ?? new Uint8Array(0));
    if (more !== undefined) {
      await channel.send('questions', more);
      rounds.push((await channel.receive('answers')).content);
    }
    return rounds;
  }

  async #sendResidue(prepared: Analysis, known: readonly Uint8Array[] | undefined): Promise<void> {
    const { channel, signal } = this.#o;
    const { residue, diskOrder, device } = prepared;
    const total = residue.counts.ram.unknown + residue.counts.disk.unknown;
    let done = 0;
    await channel.send('residueStart', {});
    const frames = residue.encode({
      applied: this.#raced?.shipped ?? { ram: NO_PAGES, disk: NO_PAGES },
      diskOrder,
      ...(known === undefined ? {} : { known }),
      ...(this.#o.optimize === 'time' ? { level: 'adaptive' as const } : {}),
      ...(signal === undefined ? {} : { signal }),
    });
    for await (const frame of frames) {
      await channel.send(frame.space === 'ram' ? 'ramResidue' : 'diskResidue', frame.bytes);
      this.#count(frame);
      done += frame.counts.delta + frame.counts.replay;
      this.#tell('residue', 'sending what still differs', Math.min(done, total), total);
    }
    await channel.send('device', device);
  }

  /** The destination computes the root of what it holds; what does not prove is sent again. */
  async #prove(prepared: Analysis, head: Snapshot): Promise<void> {
    const { channel, differ } = this.#o;
    const { ram, disk, device } = head.manifest;
    for (let attempt = 0; ; attempt++) {
      this.#tell('prove', 'proving');
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
      this.#notes.push(
        `The first proof failed (${content.broken.join(', ')}); the pages were sent again.`,
      );
      this.#repairedPages += await sendRepair({
        ...{ channel, differ, head, target: prepared.change.target, broken: content.broken },
      });
    }
  }

  /** From the destination's `prepared` on: release, wait for `owned`, hear whether it runs. */
  async #handOver(): Promise<boolean> {
    const { channel } = this.#o;
    this.#tell('handoff', 'handing over');
    do await this.#handoff.next();
    while ((await this.#handoff.state()).kind !== 'copy');
    this.#tell('resume', this.#o.resume ? 'resuming at the destination' : 'done');
    const { content } = await channel.receive('resumed');
    if (content.reason !== undefined) this.#notes.push(content.reason);
    await channel.send('bye', {});
    return content.running;
  }

  /** Before the commit point a failure costs nothing: the VM stays here. */
  async #takeBack(): Promise<void> {
    if ((await this.#handoff.state()).kind !== 'offering') return;
    await this.#o.store.lease.apply(this.#o.name, { type: 'cancel' });
  }

  #count({ space, counts }: ResidueFrame): void {
    const sums = this.#pages[space];
    for (const kind of ['zero', 'base', 'twin', 'replay', 'delta'] as const) {
      sums[kind] += counts[kind];
    }
  }

  #noteReplay({ report, stopped }: Race): void {
    if (report.outcome !== 'complete' && stopped === undefined) {
      this.#notes.push(
        `The replay ended early (${report.reason ?? report.outcome}); what it missed was shipped.`,
      );
    }
    if (report.anchorsMissed > 0) {
      this.#notes.push(
        `${String(report.anchorsMissed)} of ${String(report.anchors)} recorded screens did not appear in the replay${firstMiss(report)}.`,
      );
    }
  }

  #tell(stage: Stage, text: string, done?: number, total?: number): void {
    this.#o.onProgress({
      ...{ stage, text, bytes: this.#o.channel.bytes },
      ...(done === undefined || total === undefined ? {} : { done, total }),
    });
  }

  /** What the report says about the replay, and what it tried to do in the world. */
  #replayed({ input }: Analysis): Pick<MigrationReport, 'replay' | 'effects'> {
    if (this.#raced === undefined) return {};
    const { attempts, ...replay } = this.#raced.report;
    const effects = 'log' in input ? input.effects : undefined;
    if (effects === undefined || attempts === undefined) return { replay };
    return { replay, effects: { ...effects, attempts } };
  }

  #report(
    vm: VmRecord,
    head: Snapshot,
    prepared: Analysis,
    migration: string,
    resumed: boolean,
  ): MigrationReport {
    const { channel, name } = this.#o;
    const seconds = (stage: Timed) => this.#watch.of(stage);
    const shipped = this.#raced?.shipped ?? { ram: NO_PAGES, disk: NO_PAGES };
    return {
      version: 1,
      ...{ migration, vm: vm.id, name, side: 'source', peer: channel.peerName },
      startedAt: this.#startedAt,
      base: prepared.base.root,
      target: head.root,
      strategy: prepared.plan.strategy,
      reason: prepared.plan.reason,
      bytes: channel.bytes,
      pages: this.#pages,
      residue: { ramPages: this.#pages.ram.delta, diskBlocks: this.#pages.disk.delta },
      shippedAhead: countPages(shipped.ram) + countPages(shipped.disk),
      ...(this.#raced === undefined ? {} : { race: [...this.#raced.samples] }),
      ...this.#replayed(prepared),
      repairedPages: this.#repairedPages,
      seconds: {
        plan: seconds('plan'),
        replay: seconds('replay'),
        residue: seconds('residue'),
        prove: seconds('prove'),
        handoff: seconds('handoff'),
        total: this.#watch.total,
      },
      resumed,
      notes: this.#notes,
    };
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
