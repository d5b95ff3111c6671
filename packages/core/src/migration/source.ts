import { randomUUID } from 'node:crypto';

import { countPages, type Differ } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import type { EffectPolicy } from '../gate/index.js';
import type { Channel, Content } from '../protocol/index.js';
import type { Snapshot, SnapshotStore } from '../snapshot/index.js';

import { analyse, type Analysis } from './analysis.js';
import { HandoffExchange } from './handoff-exchange.js';
import type { Plan } from './plan.js';
import type { OnProgress, Tell } from './progress.js';
import type { Race } from './race.js';
import type { MigrationReport } from './report.js';
import { commonBase, meetDestination } from './source-meeting.js';
import { Stopwatch } from './stopwatch.js';
import { transfer, type Timed, type Transferred } from './transfer.js';

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

class SourceMigration {
  readonly #o: SourceOptions;
  readonly #handoff: HandoffExchange;
  readonly #watch = new Stopwatch<Timed>();
  readonly #startedAt = new Date().toISOString();
  readonly #notes: string[] = [];

  constructor(options: SourceOptions) {
    this.#o = options;
    this.#handoff = new HandoffExchange(options.store.lease, options.name, options.channel);
  }

  async run(): Promise<SourceOutcome> {
    const { channel, dryRun } = this.#o;
    const head = await this.#head();
    this.#tell('meet', `meeting ${channel.peerName}`);
    const met = await meetDestination(this.#o, head, this.#handoff);
    if (await this.#settle(met)) {
      await channel.send('bye', {});
      return { kind: 'settled', target: head.root };
    }
    const base = await commonBase(this.#o, head, met);
    const analysis = await this.#watch.time('plan', () => this.#analyse(head, base, met));
    await using _residue = analysis.residue;
    const { plan } = analysis;
    if (dryRun) {
      await channel.send('bye', {});
      return { kind: 'planned', plan, base: base.root, target: head.root };
    }
    return { kind: 'migrated', plan, report: await this.#move(analysis, head) };
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

  /** Finishes what an earlier attempt left between release and ownership. True when that was all. */
  async #settle(met: Content<'met'>): Promise<boolean> {
    await this.#handoff.send(await this.#handoff.hear(met.handoff));
    while ((await this.#handoff.state()).kind === 'released') await this.#handoff.next();
    const state = await this.#handoff.state();
    return state.kind !== 'holds' && state.kind !== 'offering';
  }

  async #analyse(head: Snapshot, base: Snapshot, met: Content<'met'>): Promise<Analysis> {
    const analysis = await analyse({
      ...this.#o,
      ...{ head, base },
      virtualTime: met.virtualTime,
      onProgress: (text, done, total) => {
        this.#tell('plan', text, done, total);
      },
    });
    const { plan } = analysis;
    if (this.#o.strategy === 'replay' && plan.strategy === 'ship') {
      this.#notes.push(`No replay: ${plan.reason}.`);
    }
    return analysis;
  }

  /** From the offer to the last word. */
  async #move(analysis: Analysis, head: Snapshot): Promise<MigrationReport> {
    const { store, name, channel } = this.#o;
    const migration = await this.#offer(head.root);
    let transferred: Transferred;
    let resumed: boolean;
    try {
      transferred = await transfer({
        ...this.#o,
        ...{ analysis, head, migration, watch: this.#watch, tell: this.#tell },
        note: (sentence) => this.#notes.push(sentence),
      });
      resumed = await this.#watch.time('handoff', () => this.#handOver());
    } catch (error) {
      await this.#takeBack();
      throw error;
    }
    await store.recordPeer(name, channel.peer.host, head.root, channel.peerName);
    return await this.#report(analysis, head, { migration, resumed, ...transferred });
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

  readonly #tell: Tell = (stage, text, done, total) => {
    this.#o.onProgress({
      ...{ stage, text, bytes: this.#o.channel.bytes },
      ...(done === undefined || total === undefined ? {} : { done, total }),
    });
  };

  async #report(
    { base, plan, input }: Analysis,
    head: Snapshot,
    done: Transferred & { readonly migration: string; readonly resumed: boolean },
  ): Promise<MigrationReport> {
    const { store, channel, name } = this.#o;
    const { migration, pages, resumed, repairedPages, raced, exact } = done;
    const vm = await store.vm(name);
    const seconds = (stage: Timed) => this.#watch.of(stage);
    return {
      version: 1,
      ...{ migration, vm: vm.id, name, side: 'source', peer: channel.peerName },
      startedAt: this.#startedAt,
      base: base.root,
      target: head.root,
      strategy: plan.strategy,
      reason: plan.reason,
      bytes: channel.bytes,
      pages,
      residue: { ramPages: pages.ram.delta, diskBlocks: pages.disk.delta },
      shippedAhead:
        raced === undefined ? 0 : countPages(raced.shipped.ram) + countPages(raced.shipped.disk),
      ...(raced === undefined ? {} : aboutReplay(raced, exact, input)),
      repairedPages,
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

/** What the report says about the replay, and what it tried to do in the world. */
function aboutReplay(
  { report, samples }: Race,
  exact: boolean,
  input: Analysis['input'],
): Pick<MigrationReport, 'replay' | 'race' | 'effects'> {
  const { attempts, state: _proved, ...replay } = report;
  const effects = 'log' in input ? input.effects : undefined;
  return {
    ...{ replay: { ...replay, exact }, race: [...samples] },
    ...(effects === undefined || attempts === undefined
      ? {}
      : { effects: { ...effects, attempts } }),
  };
}
