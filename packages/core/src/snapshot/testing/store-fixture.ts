import { createHash } from 'node:crypto';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { VirtualDisk, type BlockRuns } from '@reprise/blkdriver-native';

import { parseMachine, type Machine } from '../../machine/index.js';
import { nativeDigestTree, nativeDiskLayers } from '../native-ports.js';
import { openStore } from '../open-store.js';
import type { DigestTree, DiskLayers } from '../ports.js';
import { referenceDigestTree } from './reference-digest-tree.js';
import { referenceDiskLayers, writeReferenceBlock } from './reference-disk-layers.js';
import type { SnapshotStore, WorkingCopy } from '../store.js';

/** A small VM in a temporary store, and hands that write where a guest would. For tests. */

export const RAM_MIB = 16;
export const DISK_BYTES = 1024 * 1024 + 4096; // a last leaf that is not full

export interface Ports {
  readonly name: string;
  readonly openTree: () => DigestTree;
  readonly disks: DiskLayers;
  writeBlock(
    overlay: string,
    chain: WorkingCopy['disk'],
    block: number,
    bytes: Uint8Array,
  ): Promise<void>;
}

export const referencePorts: Ports = {
  name: 'reference',
  openTree: () => referenceDigestTree,
  disks: referenceDiskLayers,
  writeBlock: (overlay, _chain, block, bytes) => writeReferenceBlock(overlay, block, bytes),
};

/** The differ and the block driver. */
export const nativePorts: Ports = {
  name: 'native',
  openTree: nativeDigestTree,
  disks: nativeDiskLayers,
  writeBlock: async (overlay, { base, layers }, block, bytes) => {
    await using disk = await VirtualDisk.open({ base, layers, overlay });
    await disk.write(BigInt(block) * 4096n, bytes);
  },
};

export class StoreFixture implements AsyncDisposable {
  readonly directory: string;
  readonly ports: Ports;
  store: SnapshotStore;
  machine!: Machine;

  private constructor(directory: string, ports: Ports, store: SnapshotStore) {
    this.directory = directory;
    this.ports = ports;
    this.store = store;
  }

  static async create(ports: Ports = nativePorts): Promise<StoreFixture> {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-store-'));
    const fixture = new StoreFixture(
      directory,
      ports,
      await openAt(join(directory, 'home'), ports),
    );
    await fixture.#prepare();
    return fixture;
  }

  get home(): string {
    return join(this.directory, 'home');
  }

  async #prepare(): Promise<void> {
    const kernel = join(this.directory, 'kernel');
    await writeFile(kernel, 'a kernel');
    const { sha256 } = await this.store.putBootFile(kernel);
    this.machine = testMachine(sha256);
    const disk = join(this.directory, 'disk.img');
    await writeFile(disk, pattern('disk', DISK_BYTES - 8192)); // shorter than the machine's disk
  }

  /** The same store, as after a restart of the program. */
  async reopen(): Promise<void> {
    await this.store.close();
    this.store = await openAt(this.home, this.ports);
  }

  /** Another host. */
  openSecond(): Promise<SnapshotStore> {
    return openAt(join(this.directory, 'second'), this.ports);
  }

  async importVm(name = 'desk'): Promise<void> {
    const disk = join(this.directory, 'disk.img');
    await this.store.createVm({ name, machine: this.machine, disk });
  }

  /** One session: resumes, writes these pages and blocks, suspends, and commits unless told otherwise. */
  async session(
    what: { ram?: readonly number[]; disk?: readonly number[]; tag: string },
    name = 'desk',
  ): Promise<string> {
    await this.suspended(what, name);
    const { root } = await this.store.commitWorkingCopy(name);
    return root;
  }

  /** A session up to the point where only commitWorkingCopy is left. */
  async suspended(
    what: { ram?: readonly number[]; disk?: readonly number[]; tag: string },
    name = 'desk',
  ): Promise<WorkingCopy> {
    const copy = await this.store.createWorkingCopy(name);
    await writePages(copy.paths.ram, what.ram ?? [], what.tag);
    for (const block of what.disk ?? []) {
      await this.ports.writeBlock(
        copy.disk.overlay,
        copy.disk,
        block,
        pattern(`${what.tag} disk ${block}`, 4096),
      );
    }
    await writeFile(copy.paths.device, `device state after ${what.tag}`);
    return copy;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

function openAt(home: string, ports: Ports): Promise<SnapshotStore> {
  return openStore({ home, tree: ports.openTree(), disks: ports.disks });
}

export function testMachine(kernel: string): Machine {
  return parseMachine({
    version: 1,
    hypervisor: 'qemu',
    accelerator: 'tcg',
    memoryMiB: RAM_MIB,
    diskBytes: DISK_BYTES,
    boot: { kind: 'direct', kernel },
    clockBase: '2026-01-01T00:00:00',
    seed: 7,
  });
}

export async function writePages(
  path: string,
  pages: readonly number[],
  tag: string,
): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (const page of pages) {
      await file.write(pattern(`${tag} ram ${page}`, 4096), 0, 4096, page * 4096);
    }
  } finally {
    await file.close();
  }
}

/** Bytes that look random and are the same every time. */
export function pattern(tag: string, length: number): Buffer {
  const parts: Buffer[] = [];
  for (let i = 0; i * 32 < length; i++) {
    parts.push(createHash('sha256').update(`${tag} ${i}`).digest());
  }
  return Buffer.concat(parts).subarray(0, length);
}

/** Runs as the differ and the driver name them. */
export function runs(...blocks: readonly number[]): BlockRuns {
  return BigUint64Array.from(blocks.flatMap((block) => [BigInt(block), 1n]));
}
