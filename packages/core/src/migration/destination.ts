import { machineDigest } from '../machine/index.js';
import { openBlob, unpackInputLog, type InputLog } from '../input/index.js';
import { describeError, RepriseError } from '../errors.js';
import { obstaclesToRun } from '../hypervisor/index.js';
import type { HandoffMessage } from '../lease/index.js';
import type { Differ } from '@reprise/differ';
import type { Channel, Content } from '../protocol/index.js';
import {
  freeBytes,
  type Snapshot,
  type SnapshotStore,
  type StateDigests,
  type VmRecord,
} from '../snapshot/index.js';
import { startVm } from '../supervisor/index.js';

import { LOG_PURPOSE } from './analysis.js';
import { differFor } from './differ-for.js';
import { answerExactReplay, unpackSessions } from './exact-replay.js';
import { HandoffExchange } from './handoff-exchange.js';
import { receiveRepair } from './repair.js';
import { replaySession, type Replayed, type ReplayFront, type ReplayTrial } from './replay.js';
import { Staging } from './staging.js';
import { replayVirtually, type VirtuallyReplayed } from './virtual-replay.js';
import { encodeWritten } from './written-codec.js';

const PROGRESS_EVERY_MS = 2_000;
/** What stays free beside what a migration needs. */
const SPARE_BYTES = 64 * 1024 * 1024;

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
  readonly #stopReplay = new AbortController();
  readonly #dropReplay = new AbortController();
  #staging: Staging | undefined;
  #replay: Promise<Replayed | VirtuallyReplayed> | undefined;

  constructor(options: DestinationOptions & { readonly differ: Differ }, vm: VmRecord) {
    this.#o = options;
    this.#vm = vm;
    this.#handoff = new HandoffExchange(options.store.lease, vm.name, options.channel);
    options.signal?.addEventListener('abort', () => {
      this.#ending.abort(options.signal?.reason);
    });
  }

  async run(obstacles: readonly string[]): Promise<void> {
    const { store, channel, meet } = this.#o;
    const snapshots = await store.listSnapshots(this.#vm.name);
    const held = new Map(snapshots.map((snapshot) => [snapshot.root, snapshot]));
    const complete = held.has(meet.target);
    const base = complete ? meet.target : meet.bases.find((root) => held.has(root));
    const virtualTime = await answerExactReplay(meet.virtualTime, this.#ending.signal);
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
    const staging = await Staging.open(store, differ, base, meet.target);
    this.#staging = staging;
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
          this.#replay = this.#startReplay(base, plan, message.content);
          break;
        case 'replayStop':
          (message.content.keep ? this.#stopReplay : this.#dropReplay).abort();
          break;
        case 'questions':
          await channel.send(
            'answers',
            await staging.answer(message.content, await this.#replayed()),
          );
          break;
        case 'residueStart':
          await staging.startStream();
          break;
        case 'ramResidue':
        case 'diskResidue':
          await staging.apply(message.content);
          break;
        case 'device':
          await staging.device(message.content);
          break;
        case 'adopt':
          await this.#adopt(staging);
          break;
        case 'root':
          await this.#prove(staging, message.content, offer, complete);
          return;
      }
    }
  }

  /** The source says that the replay has come to the target; the proof will tell. */
  async #adopt(staging: Staging): Promise<void> {
    const replayed = await this.#replayed();
    if (!('state' in replayed)) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'The state of a replay was to be adopted, and there is none. Migrate again.',
      );
    }
    await staging.adopt(replayed.state);
  }

  /** Replays in the background; the report goes out when it ends. */
  #startReplay(
    base: Snapshot,
    plan: Content<'plan'>,
    sealed: Uint8Array,
  ): Promise<Replayed | VirtuallyReplayed> {
    const { store, differ, channel } = this.#o;
    let toldMs = Date.now();
    const replay = (async () => {
      const packed = openBlob(await store.secret(this.#vm.name), LOG_PURPOSE, sealed);
      const options = {
        ...{ store, differ, base, migration: plan.migration },
        signal: AbortSignal.any([this.#ending.signal, this.#dropReplay.signal]),
        onProgress: (events: number, eventsTotal: number, sessionMs: number) => {
          if (Date.now() - toldMs < PROGRESS_EVERY_MS) return;
          toldMs = Date.now();
          const progress = { events, eventsTotal, sessionMs: Math.round(sessionMs) };
          channel.send('replayProgress', progress).catch(() => undefined);
        },
      };
      const replayed =
        plan.exact === true
          ? await replayVirtually({ ...options, logs: unpackSessions(packed) })
          : await replaySession({
              ...options,
              ...tried(this.#o.trial, unpackInputLog(packed)),
              stop: this.#stopReplay.signal,
              ...(plan.fronts ? { front: await this.#front() } : {}),
            });
      await channel.send('replayReport', replayed.report);
      return replayed;
    })();
    // Whoever awaits it hears of a failure; until then it must not end the process.
    replay.catch(() => undefined);
    return replay;
  }

  /** Takes what a replay has written to the source. */
  async #front(): Promise<ReplayFront> {
    const { store, channel } = this.#o;
    return {
      key: await store.deriveKey(this.#vm.name, 'replayed-blocks'),
      tell: async (written) => {
        await channel.send('replayed', encodeWritten(written));
      },
    };
  }

  async #replayed(): Promise<Replayed | VirtuallyReplayed> {
    if (this.#replay === undefined) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'Questions came without a replay. Migrate again.',
      );
    }
    return await this.#replay;
  }

  async #prove(
    staging: Staging,
    root: Content<'root'>,
    offer: Offer,
    complete: boolean,
  ): Promise<void> {
    const { differ, channel, meet } = this.#o;
    if (root.root !== meet.target) {
      throw new RepriseError(
        'PROTOCOL_VIOLATION',
        'The root is not the one that was announced. Migrate again.',
      );
    }
    for (;;) {
      const digests = complete ? undefined : await staging.digest();
      const broken = digests === undefined ? [] : partsThatDiffer(digests, root);
      const equal = broken.length === 0;
      await channel.send('proof', { equal, broken });
      if (equal) {
        if (digests !== undefined) await staging.commit(digests, root.createdAt);
        await this.#handoff.apply(provedInput(offer));
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
    const replayed = await this.#replay?.catch(() => undefined);
    this.#replay = undefined;
    await replayed?.[Symbol.asyncDispose]();
    await this.#staging?.close();
    this.#staging = undefined;
  }
}

/** Why this host cannot take the VM, each a sentence. */
async function obstaclesTo(
  store: SnapshotStore,
  vm: VmRecord | undefined,
  meet: Content<'meet'>,
): Promise<string[]> {
  const obstacles = await obstaclesToRun(meet.machine);
  if (
    vm !== undefined &&
    machineDigest(await store.machine(vm.name)) !== machineDigest(meet.machine)
  ) {
    obstacles.push('the machine is defined differently there');
  }
  // A replay works on a copy of the RAM, and the target's RAM stands beside it.
  const needed = 2 * meet.machine.memoryMiB * 1024 * 1024 + meet.occupiedBytes + SPARE_BYTES;
  const free = await freeBytes(store.home);
  if (free < needed) {
    obstacles.push(`it has ${gigabytes(free)} free and needs ${gigabytes(needed)}`);
  }
  return obstacles;
}

function tried(trial: ReplayTrial | undefined, log: InputLog) {
  return {
    log: trial?.rewrite?.(log) ?? log,
    ...(trial?.pacing === undefined ? {} : { pacing: trial.pacing }),
  };
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

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
