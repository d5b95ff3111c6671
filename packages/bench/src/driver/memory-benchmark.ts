import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';

import { createOverlay, sealOverlayFrom, type DiskChain } from '@reprise/blkdriver-native';

import { createRunDirectory, createSocketDirectory } from '../fixture/directories.js';
import { serveOurs } from './contender.js';
import { writeRandomly } from './fio.js';
import { processMemory, type ProcessMemory } from './process-memory.js';

const GIB = 2 ** 30;
const BLOCKS_PER_GIB = GIB / 4096;
/** Far enough apart that what grows with the disk stands out from what does not. */
const DISKS_GIB = [1, 65] as const;
/** After so many writes the allocator and the threads have what they keep. */
const WARM_UP_WRITES = 200_000;

export interface MemoryBenchmarkOptions {
  /** Random 4 KiB writes to make, in millions. */
  readonly millions: number;
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => void;
}

export interface MemoryBenchmarkResult {
  readonly version: 1;
  /** Of a disk of which a sealed layer holds every block: the most that a disk can take. */
  readonly privateBytesPerGiB: number;
  /** Of the same: pages of mapped files, which the kernel may drop. */
  readonly mappedBytesPerGiB: number;
  /** What the process grew by in the writes, both kinds of pages. */
  readonly privateBytesPerMillionWrites: number;
  readonly mappedBytesPerMillionWrites: number;
  readonly millions: number;
}

/** The memory that the driver takes for a disk and for writes, seen from outside the process that serves it. */
export async function runMemoryBenchmark(
  o: MemoryBenchmarkOptions,
): Promise<MemoryBenchmarkResult> {
  const { signal, onProgress, millions } = o;
  await using directory = await createRunDirectory();
  await using sockets = await createSocketDirectory();
  const serve = (chain: DiskChain) => {
    const socketPath = join(sockets.path, 'disk.sock');
    return serveOurs('ours', { chain, socketPath, tracking: true }, signal);
  };

  const atRest: ProcessMemory[] = [];
  for (const gib of DISKS_GIB) {
    onProgress(`a disk of ${String(gib)} GiB, held whole by a layer`);
    await using server = await serve(await fullDisk(join(directory.path, String(gib)), gib));
    atRest.push(await processMemory(server.pid));
  }
  const [small, large] = atRest;
  if (small === undefined || large === undefined) throw new RangeError('There are two disks.');
  const perGiB = (a: number, b: number): number => (b - a) / (DISKS_GIB[1] - DISKS_GIB[0]);

  onProgress(`${String(millions)} million random writes`);
  await using server = await serve(await emptyDisk(join(directory.path, 'writes'), 1));
  const write = (count: number) => writeRandomly(server.uri, { sizeBytes: GIB, count, signal });
  await write(WARM_UP_WRITES);
  const before = await processMemory(server.pid);
  await write(millions * 1e6);
  const after = await processMemory(server.pid);
  return {
    version: 1,
    privateBytesPerGiB: perGiB(small.privateBytes, large.privateBytes),
    mappedBytesPerGiB: perGiB(small.mappedBytes, large.mappedBytes),
    privateBytesPerMillionWrites: (after.privateBytes - before.privateBytes) / millions,
    mappedBytesPerMillionWrites: (after.mappedBytes - before.mappedBytes) / millions,
    millions,
  };
}

export function memoryTable(result: MemoryBenchmarkResult): string {
  const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`;
  return [
    `a GiB of disk, every block in a layer: ${kib(result.privateBytesPerGiB)} private, ${kib(result.mappedBytesPerGiB)} mapped`,
    `a million random writes (of ${String(result.millions)}): ${kib(result.privateBytesPerMillionWrites)} private, ${kib(result.mappedBytesPerMillionWrites)} mapped`,
  ].join('\n');
}

async function emptyDisk(directory: string, gib: number): Promise<DiskChain> {
  await mkdir(directory);
  const base = await sparseFile(join(directory, 'base'), gib);
  const overlay = join(directory, 'overlay');
  await createOverlay(overlay, { sizeBytes: BigInt(gib * GIB) });
  return { base, layers: [], overlay };
}

/** Its layer holds every block, and takes no space: the blocks are holes. */
async function fullDisk(directory: string, gib: number): Promise<DiskChain> {
  const chain = await emptyDisk(directory, gib);
  const layer = join(directory, 'layer');
  await sealOverlayFrom(layer, {
    sizeBytes: BigInt(gib * GIB),
    dataFile: await sparseFile(join(directory, 'data'), gib),
    blocks: BigUint64Array.of(0n, BigInt(gib * BLOCKS_PER_GIB)),
  });
  return { ...chain, layers: [layer] };
}

async function sparseFile(path: string, gib: number): Promise<string> {
  await using file = await open(path, 'w');
  await file.truncate(gib * GIB);
  return path;
}
