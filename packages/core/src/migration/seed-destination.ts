import { appendFile, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { decompress, Differ, PAGE_SIZE, type PageRuns } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import { obstaclesToRun } from '../hypervisor/index.js';
import type { Channel, Content } from '../protocol/index.js';
import { freeBytes, type Incoming, type SnapshotStore } from '../snapshot/index.js';

import { SeedLedger } from './seed-ledger.js';
import { SEED_PIECE_BYTES } from './seed-source.js';

export interface ReceiveSeedOptions {
  readonly store: SnapshotStore;
  readonly channel: Channel;
  readonly seed: Content<'seed'>;
  readonly onEvent: (text: string) => void;
}

type Part = Content<'seed'>['parts'][number];
type BootPart = Part & { readonly part: 'kernel' | 'initrd' };

/** The destination's side of a seed: keeps what arrives over interruptions, and proves the whole. */
export async function receiveSeed(options: ReceiveSeedOptions): Promise<void> {
  const { store, channel, seed, onEvent } = options;
  if (!(await holds(store, seed))) await new SeedReceiver(store, channel, seed).run();
  else await sendNothing(channel, seed);
  onEvent(`'${seed.name}' is seeded`);
  await channel.send('seedDone', { root: seed.root });
  await channel.receive('bye');
}

async function holds(store: SnapshotStore, seed: Content<'seed'>): Promise<boolean> {
  const vm = await store.vmById(seed.vm);
  if (vm === undefined) return false;
  return (await store.listSnapshots(vm.name)).some((snapshot) => snapshot.root === seed.root);
}

async function sendNothing(channel: Channel, seed: Content<'seed'>): Promise<void> {
  await channel.send('seedFrom', { offsets: seed.parts.map((part) => part.sizeBytes) });
  await channel.receive('seedSecret');
  await channel.receive('seedDone');
}

class SeedReceiver {
  readonly #store: SnapshotStore;
  readonly #channel: Channel;
  readonly #seed: Content<'seed'>;
  readonly #boot: string;

  constructor(store: SnapshotStore, channel: Channel, seed: Content<'seed'>) {
    this.#store = store;
    this.#channel = channel;
    this.#seed = seed;
    this.#boot = join(store.home, 'seeding');
  }

  async run(): Promise<void> {
    await this.#requireRoom();
    const { parts, name, root } = this.#seed;
    const known = await this.#store.vmById(this.#seed.vm);
    const staged = known === undefined ? undefined : await this.#store.openIncoming(name, root);
    const ledger = staged === undefined ? undefined : await SeedLedger.open(ledgerOf(staged));
    const offsets: number[] = [];
    for (const part of parts) {
      offsets.push(
        isBoot(part) ? await this.#bootOffset(part) : (ledger?.offsetOf(part.part) ?? 0),
      );
    }
    await this.#channel.send('seedFrom', { offsets });
    const secret = (await this.#channel.receive('seedSecret')).content;
    for (const [i, part] of parts.entries()) {
      if (isBoot(part)) await this.#receiveBoot(part, offsets[i] ?? 0);
    }
    await this.#store.adoptVm({ ...this.#seed, id: this.#seed.vm, secret });
    const incoming = staged ?? (await this.#store.openIncoming(name, root));
    await this.#receiveState(incoming, ledger ?? (await SeedLedger.open(ledgerOf(incoming))));
    await this.#prove(incoming);
  }

  async #requireRoom(): Promise<void> {
    const { machine, parts } = this.#seed;
    const obstacles = await obstaclesToRun(machine);
    if (obstacles.length > 0) {
      throw new RepriseError(
        'INCOMPATIBLE_PEER',
        `This machine cannot run here: ${obstacles.join('; ')}. Remove the obstacle, then seed again.`,
      );
    }
    // Zero pages take no room, so this asks for more than is needed, never for less.
    const needed = parts.reduce(
      (sum, part) => sum + (part.part === 'disk' ? 0 : part.sizeBytes),
      0,
    );
    const free = await freeBytes(this.#store.home);
    if (free < needed) {
      throw new RepriseError(
        'DESTINATION_FULL',
        `The destination has ${String(Math.floor(free / 1e6))} MB free and needs at least ${String(Math.ceil(needed / 1e6))} MB. Make room there, then seed again.`,
      );
    }
  }

  async #bootOffset(part: BootPart): Promise<number> {
    if (await this.#hasBoot(part)) return part.sizeBytes;
    return await stat(this.#bootPath(part)).then(
      ({ size }) => Math.min(size, part.sizeBytes),
      () => 0,
    );
  }

  async #hasBoot(part: BootPart): Promise<boolean> {
    return await this.#store.bootFile(part.digest ?? '').then(
      () => true,
      () => false,
    );
  }

  #bootPath(part: BootPart): string {
    return join(this.#boot, `${this.#seed.vm}-${part.part}`);
  }

  async #receiveBoot(part: BootPart, from: number): Promise<void> {
    if (await this.#hasBoot(part)) return;
    await mkdir(this.#boot, { recursive: true, mode: 0o700 });
    const path = this.#bootPath(part);
    for (let at = from; at < part.sizeBytes;) {
      const { content } = await this.#channel.receive('seedBoot');
      const piece = await decompress(content, { maxBytes: SEED_PIECE_BYTES });
      await appendFile(path, piece, { mode: 0o600 });
      at += piece.length;
    }
    const { sha256 } = await this.#store.putBootFile(path);
    await rm(path, { force: true });
    if (sha256 !== part.digest) {
      throw new RepriseError(
        'PROOF_FAILED',
        `The ${part.part} that arrived is not the announced one. Seed again.`,
      );
    }
  }

  async #receiveState(incoming: Incoming, ledger: SeedLedger): Promise<void> {
    const sizes = new Map(this.#seed.parts.map((part) => [part.part, part.sizeBytes]));
    const sizeOf = (part: 'ram' | 'disk') => BigInt(sizes.get(part) ?? 0);
    await using differ = new Differ();
    try {
      for (;;) {
        const message = await this.#channel.receive(
          'seedRam',
          'seedDisk',
          'seedDevice',
          'seedDone',
        );
        if (message.name === 'seedDone') break;
        if (message.name === 'seedDevice') {
          const piece = await decompress(message.content, { maxBytes: SEED_PIECE_BYTES });
          await appendFile(incoming.device, piece, { mode: 0o600 });
          await ledger.advance('device', ledger.offsetOf('device') + piece.length);
        } else {
          const part = message.name === 'seedRam' ? 'ram' : 'disk';
          const output = { path: incoming[part], sizeBytes: sizeOf(part) };
          await ledger.advance(part, endOf(await differ.applyPages(message.content, output)));
        }
      }
      for (const part of ['ram', 'disk'] as const) {
        await atSize(incoming[part], Number(sizeOf(part)));
        await ledger.advance(part, Number(sizeOf(part)));
      }
    } finally {
      await ledger.save();
    }
  }

  async #prove(incoming: Incoming): Promise<void> {
    const { name, root, createdAt } = this.#seed;
    const digests = await this.#store.digestIncoming(name, root, { parent: null });
    if (digests.root !== root) {
      await this.#store.discardIncoming(name, root);
      throw new RepriseError(
        'PROOF_FAILED',
        'What arrived does not prove equal to the source, and was dropped. Seed again; if it repeats, run reprise verify on the source.',
      );
    }
    await rm(ledgerOf(incoming), { force: true });
    await this.#store.commitIncoming(name, root, { parent: null, digests, createdAt });
    await this.#store.settleHead(name, root);
  }
}

function isBoot(part: Part): part is BootPart {
  return part.part === 'kernel' || part.part === 'initrd';
}

function ledgerOf(incoming: Incoming): string {
  return join(incoming.directory, 'seed.json');
}

/** The byte after the last page of some runs. */
function endOf(runs: PageRuns): number {
  return Number((runs.at(-2) ?? 0n) + (runs.at(-1) ?? 0n)) * PAGE_SIZE;
}

async function atSize(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'a', 0o600);
  await file.truncate(sizeBytes);
  await file.close();
}
