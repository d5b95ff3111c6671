import { randomBytes } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';

import { BLOCK_SIZE, DirtyKind, DiskView, VirtualDisk, createOverlay } from './index.js';
import type { DirtyBatch } from './index.js';
import { Scratch } from './testing/scratch.js';

const MiB = 1 << 20;

interface Entry {
  sequence: bigint;
  first: bigint;
  count: number;
  kind: number;
}

async function collect(batches: AsyncIterable<DirtyBatch>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const batch of batches) {
    for (let i = 0; i < batch.length; i++) {
      entries.push({
        sequence: batch.sequences[i] ?? 0n,
        first: batch.firstBlocks[i] ?? 0n,
        count: batch.blockCounts[i] ?? 0,
        kind: batch.kinds[i] ?? 0,
      });
    }
  }
  return entries;
}

describe('a virtual disk', () => {
  test('reads the base where nothing was written and the overlay where something was', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(4 * MiB);
    const base = await readFile(chain.base);
    await using disk = await VirtualDisk.open(chain);
    const data = randomBytes(3 * BLOCK_SIZE);

    await disk.write(BigInt(5 * BLOCK_SIZE), data);

    expect(await disk.read(0n, 5 * BLOCK_SIZE)).toEqual(base.subarray(0, 5 * BLOCK_SIZE));
    expect(await disk.read(BigInt(5 * BLOCK_SIZE), data.length)).toEqual(data);
    expect(await disk.readBase(BigInt(5 * BLOCK_SIZE), 16)).toEqual(
      base.subarray(5 * BLOCK_SIZE, 5 * BLOCK_SIZE + 16),
    );
    expect(await disk.readOverlay(BigInt(5 * BLOCK_SIZE), data.length)).toEqual(data);
    expect(await disk.readOverlay(BigInt(4 * BLOCK_SIZE), 2 * BLOCK_SIZE)).toBeNull();
    expect(base.equals(await readFile(chain.base))).toBe(true);
  });

  test('keeps the rest of a block that is written in part', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(MiB);
    const expected = await readFile(chain.base);
    await using disk = await VirtualDisk.open(chain);
    for (const [offset, length] of [
      [100, 50],
      [4000, 300],
      [12_288, 1],
      [MiB - 7, 7],
      [5000, 20_000],
    ] as const) {
      const data = randomBytes(length);
      data.copy(expected, offset);
      await disk.write(BigInt(offset), data);
    }
    expect(expected.equals(await disk.read(0n, MiB))).toBe(true);
  });

  test('iterates its dirty log in both directions while writes go on', async () => {
    await using scratch = await Scratch.create();
    await using disk = await VirtualDisk.open(await scratch.chain(4 * MiB));
    const block = randomBytes(BLOCK_SIZE);
    for (const n of [7, 3, 4, 5, 3]) await disk.write(BigInt(n * BLOCK_SIZE), block);
    const cut = await disk.cutEpoch();
    await disk.write(0n, block);

    const forward = await collect(disk.dirtyLog({ batchSize: 2 }));
    expect(forward.map(({ first, count, kind }) => [first, count, kind])).toEqual([
      [7n, 1, DirtyKind.write],
      [3n, 3, DirtyKind.write], // one after the other: one run
      [3n, 1, DirtyKind.write],
      [1n, 0, DirtyKind.epoch],
      [0n, 1, DirtyKind.write],
    ]);
    const backward = await collect(disk.dirtyLog({ direction: 'backward', batchSize: 3 }));
    expect(backward).toEqual([...forward].reverse());
    expect(cut.epoch).toBe(1);
    const later = await collect(disk.dirtyLog({ fromSequence: cut.sequence + 1n }));
    expect(later.map((entry) => entry.first)).toEqual([0n]);
    const earlier = await collect(disk.dirtyLog({ toSequence: cut.sequence }));
    expect(earlier).toEqual(forward.slice(0, 3));
  });

  test('does not lengthen a record that an iteration has already given', async () => {
    await using scratch = await Scratch.create();
    await using disk = await VirtualDisk.open(await scratch.chain(MiB));
    const block = randomBytes(BLOCK_SIZE);
    await disk.write(0n, block);
    const seen = await collect(disk.dirtyLog());
    await disk.write(BigInt(BLOCK_SIZE), block);
    const next = (seen.at(-1)?.sequence ?? 0n) + 1n;
    const news = await collect(disk.dirtyLog({ fromSequence: next }));
    expect(news.map(({ first, count }) => [first, count])).toEqual([[1n, 1]]);
  });

  test('serves on a socket that only its owner may use, and removes it', async () => {
    await using scratch = await Scratch.create();
    await using disk = await VirtualDisk.open(await scratch.chain(MiB));
    const socketPath = scratch.path('s');
    const server = await disk.serve({ socketPath });
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
    await expect(disk.serve({ socketPath })).rejects.toMatchObject({ code: 'SOCKET_BUSY' });
    await server.close();
    await server.close();
    await expect(stat(socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('can be closed twice, and says so when it is used afterwards', async () => {
    await using scratch = await Scratch.create();
    const disk = await VirtualDisk.open(await scratch.chain(MiB));
    await Promise.all([disk.close(), disk.close()]);
    await disk.close();
    await expect(disk.read(0n, 1)).rejects.toMatchObject({ code: 'DISK_CLOSED' });
    expect(() => disk.statistics()).toThrow(expect.objectContaining({ code: 'DISK_CLOSED' }));
  });

  test('locks its overlay against a second opening', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(MiB);
    const disk = await VirtualDisk.open(chain);
    await expect(VirtualDisk.open(chain)).rejects.toMatchObject({ code: 'OVERLAY_BUSY' });
    await disk.close();
    await (await VirtualDisk.open(chain)).close();
  });

  test('gives every failure a code and the next step', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(MiB);
    const open = (change: Partial<typeof chain>): Promise<VirtualDisk> =>
      VirtualDisk.open({ ...chain, ...change });
    await expect(open({ base: scratch.path('none') })).rejects.toMatchObject({
      name: 'BlkError',
      code: 'BASE_UNREADABLE',
      context: { path: scratch.path('none') },
    });
    await expect(open({ overlay: scratch.path('none') })).rejects.toMatchObject({
      code: 'OVERLAY_NOT_FOUND',
    });
    await expect(createOverlay(chain.overlay, { sizeBytes: 4096n })).rejects.toMatchObject({
      code: 'OVERLAY_EXISTS',
    });
    await expect(createOverlay(scratch.path('x'), { sizeBytes: 7n })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
    await createOverlay(scratch.path('small'), { sizeBytes: 4096n });
    await expect(open({ overlay: scratch.path('small') })).rejects.toMatchObject({
      code: 'CHAIN_SIZE_MISMATCH',
    });
    await writeFile(scratch.path('overlay/header'), randomBytes(1024));
    await expect(open({})).rejects.toMatchObject({ code: 'OVERLAY_CORRUPT' });
    const aborted = AbortSignal.abort();
    await expect(VirtualDisk.open(chain, { signal: aborted })).rejects.toMatchObject({
      code: 'ABORTED',
    });
  });

  test('is there again, data and log, when it is opened again', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(MiB);
    const data = randomBytes(BLOCK_SIZE);
    {
      await using disk = await VirtualDisk.open(chain);
      await disk.write(8192n, data);
    }
    {
      await using disk = await VirtualDisk.open(chain);
      expect(await disk.read(8192n, BLOCK_SIZE)).toEqual(data);
      await disk.write(0n, data);
      const marks = (await collect(disk.dirtyLog())).filter((e) => e.kind === DirtyKind.write);
      expect(marks.map((e) => e.first)).toEqual([2n, 0n]);
    }
    await using view = await DiskView.open({ base: chain.base, layers: [chain.overlay] });
    expect(await view.read(8192n, BLOCK_SIZE)).toEqual(data);
  });

  test('fails as often as it is told to', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(MiB);
    await using disk = await VirtualDisk.open(chain, { faults: { writeFaultRate: 1 } });
    await expect(disk.write(0n, Buffer.alloc(4096))).rejects.toMatchObject({ code: 'IO_FAILED' });
    expect(disk.statistics()).toMatchObject({ writes: 1, errors: 1 });
    await disk.read(0n, 4096);
  });
});
