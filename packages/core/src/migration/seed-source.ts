import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';

import { compress, countPages, Differ, type Image, type PageRuns } from '@reprise/differ';

import { RepriseError } from '../errors.js';
import type { SshOptions } from '../link/index.js';
import type { ByteTotals, Channel, Content } from '../protocol/index.js';
import { openStore, type Snapshot, type SnapshotStore } from '../snapshot/index.js';
import { stateOf } from '../state/index.js';

import { connectTo } from './connect.js';

/** Boot files and device state travel in pieces of this size. */
export const SEED_PIECE_BYTES = 1024 * 1024;
const LEVEL = 9;

export interface SeedOptions {
  readonly home: string;
  readonly name: string;
  readonly destination: string;
  readonly ssh?: SshOptions;
  readonly bytesPerSecond?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: SeedProgress) => void;
}

export interface SeedProgress {
  readonly part: string;
  /** Bytes of content, before compression, over all parts. */
  readonly done: number;
  readonly total: number;
  readonly bytes: ByteTotals;
}

export interface SeedReport {
  readonly root: string;
  readonly bytes: ByteTotals;
  readonly seconds: number;
  /** Bytes of content that the destination had kept from an earlier attempt. */
  readonly skippedBytes: number;
}

type Part = Content<'seed'>['parts'][number];

/** Sends a VM's newest snapshot and its boot files whole; an interrupted seed goes on where it was. */
export async function seed(options: SeedOptions): Promise<SeedReport> {
  const startedMs = Date.now();
  await using store = await openStore({ home: options.home });
  const head = await store.head(options.name);
  if (head === undefined) {
    throw new RepriseError(
      'NO_COMMON_BASE',
      `'${options.name}' has never been suspended, so there is nothing to send. Start it, then suspend it: reprise suspend ${options.name}`,
    );
  }
  await using channel = await connectTo({ ...options, hostId: store.hostId });
  try {
    const skippedBytes = await new Seeding(store, channel, head, options).run();
    const seconds = (Date.now() - startedMs) / 1000;
    await store.recordPeer(options.name, channel.peer.host, head.root, channel.peerName);
    return { root: head.root, bytes: channel.bytes, seconds, skippedBytes };
  } catch (error) {
    await channel.sendError(error);
    throw error;
  }
}

class Seeding {
  readonly #store: SnapshotStore;
  readonly #channel: Channel;
  readonly #head: Snapshot;
  readonly #options: SeedOptions;
  #done = 0;
  #total = 0;

  constructor(store: SnapshotStore, channel: Channel, head: Snapshot, options: SeedOptions) {
    this.#store = store;
    this.#channel = channel;
    this.#head = head;
    this.#options = options;
  }

  async run(): Promise<number> {
    const { name } = this.#options;
    const parts = await this.#parts();
    const vm = await this.#store.vm(name);
    const lease = await this.#store.lease.state(name);
    if (lease.kind === 'absent') throw new Error('a VM of the store has no lease');
    await this.#channel.send('seed', {
      ...{ vm: vm.id, name, parts, root: this.#head.root },
      machine: await this.#store.machine(name),
      lineage: lease.lineage,
      ancestors: lease.ancestors,
      token: lease.token,
      createdAt: this.#head.manifest.createdAt,
    });
    const { offsets } = (await this.#channel.receive('seedFrom')).content;
    await this.#channel.send('seedSecret', await this.#store.secret(name));
    this.#total = parts.reduce((sum, part) => sum + part.sizeBytes, 0);
    const skipped = offsets.reduce((sum, offset) => sum + offset, 0);
    this.#done = skipped;
    const state = await stateOf(this.#head);
    await using differ = new Differ();
    for (const [i, { part, sizeBytes }] of parts.entries()) {
      const from = offsets[i] ?? 0;
      if (from >= sizeBytes) continue;
      if (part === 'ram' || part === 'disk') await this.#sendImage(differ, part, state[part], from);
      else await this.#sendFile(part, await this.#pathOf(part), from);
    }
    await this.#channel.send('seedDone', { root: this.#head.root });
    await this.#channel.receive('seedDone');
    await this.#channel.send('bye', {});
    return skipped;
  }

  async #parts(): Promise<Part[]> {
    const { boot } = await this.#store.machine(this.#options.name);
    const files: Part[] = [];
    if (boot.kind === 'direct') {
      for (const part of ['kernel', 'initrd'] as const) {
        const digest = boot[part];
        if (digest === undefined) continue;
        files.push({ part, digest, sizeBytes: (await this.#store.bootFile(digest)).sizeBytes });
      }
    }
    const { disk, ram, device } = this.#head.manifest;
    return [
      ...files,
      { part: 'disk', sizeBytes: disk.sizeBytes },
      { part: 'ram', sizeBytes: ram.sizeBytes },
      { part: 'device', sizeBytes: device.sizeBytes },
    ];
  }

  async #pathOf(part: 'kernel' | 'initrd' | 'device'): Promise<string> {
    if (part === 'device') return this.#head.paths.device;
    const { boot } = await this.#store.machine(this.#options.name);
    const digest = boot.kind === 'direct' ? boot[part] : undefined;
    if (digest === undefined) throw new Error(`the machine has no ${part}`);
    return (await this.#store.bootFile(digest)).path;
  }

  async #sendImage(
    differ: Differ,
    part: 'ram' | 'disk',
    image: Image,
    from: number,
  ): Promise<void> {
    const options = this.#options.signal === undefined ? {} : { signal: this.#options.signal };
    const runs = runsFrom(await differ.nonZeroPages(image, options), BigInt(from) / 4096n);
    const before = this.#done;
    const left = Number(image.sizeBytes) - from;
    const pages = countPages(runs);
    let sent = 0;
    for await (const frame of differ.encodePages(image, runs, { level: LEVEL, ...options })) {
      await this.#channel.send(part === 'ram' ? 'seedRam' : 'seedDisk', frame.bytes);
      sent += frame.pages;
      // Zero pages cost nothing, so progress counts what is sent, scaled to the whole part.
      this.#tell(part, before + Math.round((left * sent) / pages));
    }
    this.#tell(part, before + left);
  }

  async #sendFile(part: 'kernel' | 'initrd' | 'device', path: string, from: number): Promise<void> {
    const { size } = await stat(path);
    const name = part === 'device' ? 'seedDevice' : 'seedBoot';
    let at = from;
    while (at < size) {
      const end = Math.min(size, at + SEED_PIECE_BYTES);
      const chunks: Buffer[] = [];
      for await (const chunk of createReadStream(path, { start: at, end: end - 1 })) {
        chunks.push(chunk as Buffer);
      }
      await this.#channel.send(name, await compress(Buffer.concat(chunks), { level: LEVEL }));
      this.#tell(part, this.#done + end - at);
      at = end;
    }
  }

  #tell(part: string, done: number): void {
    this.#done = done;
    this.#options.onProgress?.({ part, done, total: this.#total, bytes: this.#channel.bytes });
  }
}

/** The part of ascending runs at or after a page. */
function runsFrom(runs: PageRuns, page: bigint): PageRuns {
  const kept: bigint[] = [];
  for (let i = 0; i + 1 < runs.length; i += 2) {
    const [first, count] = [runs[i] ?? 0n, runs[i + 1] ?? 0n];
    const start = first > page ? first : page;
    if (first + count > start) kept.push(start, first + count - start);
  }
  return BigUint64Array.from(kept);
}
