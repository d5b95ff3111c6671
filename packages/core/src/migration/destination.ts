import type { Differ } from '@reprise/differ';

import { describeError, RepriseError } from '../errors.js';
import type { HandoffMessage } from '../lease/index.js';
import type { Channel, Content } from '../protocol/index.js';
import {
  freeBytes,
  type Snapshot,
  type SnapshotStore,
  type StateDigests,
  type VmRecord,
} from '../snapshot/index.js';
import { startVm } from '../supervisor/index.js';
import { differFor } from '../state/index.js';

import { BackgroundReplay } from './background-replay.js';
import { answerExactReplay } from './exact-replay.js';
import { HandoffExchange } from './handoff-exchange.js';
import { obstaclesTo } from './obstacles.js';
import { receiveRepair } from './repair.js';
import type { ReplayTrial } from './replay.js';
import { Staging } from './staging.js';

type Offer = Extract<HandoffMessage, { type: 'offer' }>;

export interface DestinationOptions {
  readonly store: SnapshotStore;
  readonly channel: Channel;
  readonly meet: Content<'meet'>;
  readonly signal: AbortSignal | undefined;
  readonly onEvent: (text: string) => void;
  readonly trial?: ReplayTrial;
}

/** The destination's side of one migration, from `meet` on. */
export async function runDestination(options: DestinationOptions): Promise<void> {
  const { store, meet, channel } = options;
  const vm = await store.vmById(meet.vm);
  const obstacles = await obstaclesTo(store, vm, meet);
  if (vm === undefined) {
    await channel.send('met', {
      ...{ obstacles, known: false, complete: false, handoff: [] },
      freeBytes: await freeBytes(store.home),
    });
    await channel.receive('bye');
    return;
  }
  await using differ = await differFor(store, vm.name);
  await new DestinationMigration({ ...options, differ }, vm).run(obstacles);
}

class DestinationMigration {
  readonly #o: DestinationOptions & { readonly differ: Differ };
  readonly #vm: VmRecord;
  readonly #handoff: HandoffExchange;
  readonly #ending = new AbortController();
  /** Aborted when this migration ends or the caller cancels it. */
  readonly #over: AbortSignal;
  #staging: Staging | undefined;
  #replay: BackgroundReplay | undefined;

  constructor(options: DestinationOptions & { readonly differ: Differ }, vm: VmRecord) {
    this.#o = options;
    this.#vm = vm;
    this.#handoff = new HandoffExchange(options.store.lease, vm.name, options.channel);
    const ending = this.#ending.signal;
    this.#over = options.signal === undefined ? ending : AbortSignal.any([options.signal, ending]);
  }

  async run(obstacles: readonly string[]): Promise<void> {
    const { store, channel, meet } = this.#o;
    const snapshots = await store.listSnapshots(this.#vm.name);
    const held = new Map(snapshots.map((snapshot) => [snapshot.root, snapshot]));
    const complete = held.has(meet.target);
    const base = complete ? meet.target : meet.bases.find((root) => held.has(root));
    const virtualTime = await answerExactReplay(meet.virtualTime, meet.machine, this.#over);
    await channel.send('met', {
      obstacles: [...obstacles],
      ...(base === undefined ? {} : { base }),
      ...(virtualTime === undefined ? {} : { virtualTime }),
      ...{ known: true, complete, freeBytes: await freeBytes(store.home) },
      handoff: await this.#handoff.hear(meet.handoff),
    });
    await this.#settleHead();
    try {
      const planned = await this.#untilPlan();
      if (planned === undefined) return;
      await this.#receiveState(planned, held, complete);
      await this.#handOver();
    } finally {
      await this.#cleanUp();
    }
  }

  /** Settles what the lease has to say first; undefined when the source wants no more. */
  async #untilPlan(): Promise<{ plan: Content<'plan'>; offer: Offer } | undefined> {
    const { channel, meet } = this.#o;
    let offer = meet.handoff.find(isOffer);
    for (;;) {
      const message = await channel.receive('handoff', 'plan', 'bye');
      if (message.name === 'bye') return undefined;
      if (message.name === 'handoff') {
        if (isOffer(message.content)) offer = message.content;
        await this.#handoff.apply({ type: 'message', message: message.content });
        await this.#settleHead();
        continue;
      }
      if (offer?.migration !== message.content.migration) {
        throw new RepriseError(
          'PROTOCOL_VIOLATION',
          'A plan came without the offer that it belongs to. Migrate again.',
        );
      }
      return { plan: message.content, offer };
    }
  }

  async #receiveState(
    { plan, offer }: { plan: Content<'plan'>; offer: Offer },
    held: ReadonlyMap<string, Snapshot>,
    complete: boolean,
  ): Promise<void> {
    const { store, differ, channel, meet } = this.#o;
    const base = held.get(plan.base);
    if (base === undefined) {
      throw new RepriseError(
        'NO_COMMON_BASE',
        'The plan names a base that is not here. Migrate again.',
      );
    }
    // Opened when something comes to be staged: a target that is here already needs nothing.
    const staged = async () =>
      (this.#staging ??= await Staging.open(store, differ, base, meet.target));
    for (;;) {
      const message = await channel.receive(
        ...([
          'inputLog',
          'replayStop',
          'residueStart',
          'questions',
          'ramResidue',
          'diskResidue',
        ] as const),
        ...(['device', 'adopt', 'root'] as const),
      );
      switch (message.name) {
        case 'inputLog':
          this.#startReplay(base, plan, message.content);
          break;
        case 'replayStop':
          this.#running().stop(message.content);
          break;
        case 'questions': {
          const replayed = await this.#running().result();
          await channel.send('answers', await (await staged()).answer(message.content, replayed));
          break;
        }
        case 'residueStart':
          await (await staged()).startStream();
          break;
        case 'ramResidue':
        case 'diskResidue':
          await (await staged()).apply(message.content);
          break;
        case 'device':
          await (await staged()).device(message.content, plan.devicePages ? 'rest' : 'whole');
          break;
        case 'adopt':
          // The source says that the replay has come to the target; the proof will tell.
          await (await staged()).adopt(await this.#running().adoptable());
          break;
        case 'root':
          await this.#prove(complete ? undefined : await staged(), message.content, offer);
          return;
      }
    }
  }

  #startReplay(base: Snapshot, plan: Content<'plan'>, sealedLog: Uint8Array): void {
    if (this.#replay !== undefined) {
      throw new RepriseError('PROTOCOL_VIOLATION', 'Two input logs came. Migrate again.');
    }
    this.#replay = new BackgroundReplay({
      ...this.#o,
      ...{ base, plan, sealedLog },
      signal: this.#over,
    });
  }

  #running(): BackgroundReplay {
    if (this.#replay !== undefined) return this.#replay;
    throw new RepriseError(
      'PROTOCOL_VIOLATION',
      'Something was asked of a replay, and none was started. Migrate again.',
    );
  }

  /** Proves what was staged; `staging` is absent where the target was here before. */
  async #prove(staging: Staging | undefined, root: Content<'root'>, offer: Offer): Promise<void> {
    const { channel, meet } = this.#o;
    if (root.root !== meet.target) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'The root is not the one that was announced. Migrate again.',
      );
    }
    if (staging === undefined) await channel.send('proof', { equal: true, broken: [] });
    else await this.#proveStaged(staging, root);
    await this.#handoff.apply(provedInput(offer));
  }

  async #proveStaged(staging: Staging, root: Content<'root'>): Promise<void> {
    const { differ, channel } = this.#o;
    for (;;) {
      const digests = await staging.digest();
      const broken = partsThatDiffer(digests, root);
      await channel.send('proof', { equal: broken.length === 0, broken });
      if (broken.length === 0) {
        await staging.commit(digests, root.createdAt);
        return;
      }
      root = await receiveRepair({ channel, differ, staging });
    }
  }

  async #handOver(): Promise<void> {
    const { store, channel, meet, onEvent } = this.#o;
    const { name } = this.#vm;
    await this.#cleanUp();
    while ((await this.#handoff.state()).kind === 'prepared') await this.#handoff.next();
    await this.#settleHead();
    await store.recordPeer(name, channel.peer.host, meet.target);
    onEvent(`'${name}' is here now`);
    await channel.send('resumed', await this.#resume(meet.resume));
    await channel.receive('bye');
    await store.consolidate(name);
    await store.collectGarbage(name);
  }

  async #resume(wanted: boolean): Promise<Content<'resumed'>> {
    if (!wanted) return { running: false };
    const { store } = this.#o;
    try {
      await startVm(store.home, this.#vm.name);
      return { running: true };
    } catch (error) {
      const reason = `The VM was handed over but does not run yet: ${describeError(error)}`;
      return { running: false, reason: reason.slice(0, 2000) };
    }
  }

  async #settleHead(): Promise<void> {
    await this.#o.store.settleHead(this.#vm.name);
  }

  async #cleanUp(): Promise<void> {
    this.#ending.abort();
    await this.#replay?.[Symbol.asyncDispose]();
    this.#replay = undefined;
    await this.#staging?.close();
    this.#staging = undefined;
  }
}

function isOffer(message: HandoffMessage): message is Offer {
  return message.type === 'offer';
}

function provedInput(offer: Offer) {
  const { migration, root, host, lineage, ancestors, token } = offer;
  return { type: 'proved', migration, root, peer: host, lineage, ancestors, token } as const;
}

function partsThatDiffer(
  digests: StateDigests,
  root: Content<'root'>,
): ('ram' | 'disk' | 'device')[] {
  if (digests.root === root.root) return [];
  const broken: ('ram' | 'disk' | 'device')[] = [];
  if (digests.ram.root !== root.ramRoot) broken.push('ram');
  if (digests.disk.root !== root.diskRoot) broken.push('disk');
  if (digests.device.sha256 !== root.deviceDigest) broken.push('device');
  if (broken.length > 0) return broken;
  throw new RepriseError(
    'PROTOCOL_VIOLATION',
    'The announced root is not made of the announced parts. Make sure that both hosts run the same reprise.',
  );
}
