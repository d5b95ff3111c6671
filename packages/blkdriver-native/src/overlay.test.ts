import { randomBytes } from 'node:crypto';
import { open, readFile, stat } from 'node:fs/promises';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  BLOCK_SIZE,
  DirtyKind,
  DiskView,
  VirtualDisk,
  createOverlay,
  mergeOverlays,
  overlayBlocks,
  readDirtyLog,
  sealOverlayFrom,
} from './index.js';
import { Scratch } from './testing/scratch.js';

const blocks = 64;
const sizeBytes = BigInt(blocks * BLOCK_SIZE);

/** What a differ does: every extent from its file, zeros elsewhere. */
async function readExtents(view: DiskView): Promise<Buffer> {
  const { files, extents } = await view.extents();
  const disk = Buffer.alloc(Number(view.sizeBytes));
  for (let i = 0; i < extents.length; i += 4) {
    const [offset, length, file, at] = [...extents.subarray(i, i + 4)].map(Number);
    const handle = await open(files[file ?? 0] ?? '');
    await handle.read(disk, offset, length, at);
    await handle.close();
  }
  return disk;
}

describe('overlays', () => {
  test('stacked, merged and through extents read like the writes that made them', async () => {
    const write = fc.record({
      block: fc.nat(blocks - 4),
      count: fc.integer({ min: 1, max: 4 }),
    });
    const layer = fc.array(write, { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (plan) => {
        await using scratch = await Scratch.create();
        const base = await scratch.base(Number(sizeBytes), Number(sizeBytes) / 2);
        const model = await readFile(base);
        const layers: string[] = [];
        for (const writes of plan) {
          const overlay = scratch.path(`layer${layers.length}`);
          await createOverlay(overlay, { sizeBytes });
          await using disk = await VirtualDisk.open({ base, layers, overlay });
          for (const { block, count } of writes) {
            const data = randomBytes(count * BLOCK_SIZE);
            data.copy(model, block * BLOCK_SIZE);
            await disk.write(BigInt(block * BLOCK_SIZE), data);
          }
          layers.push(overlay);
        }
        await mergeOverlays(scratch.path('merged'), layers);
        for (const stack of [layers, [scratch.path('merged')]]) {
          await using view = await DiskView.open({ base, layers: stack });
          expect(model.equals(await view.read(0n, Number(sizeBytes)))).toBe(true);
          expect(model.equals(await readExtents(view))).toBe(true);
        }
        expect(await overlayBlocks([scratch.path('merged')])).toEqual(await overlayBlocks(layers));
      }),
      { numRuns: 8 },
    );
  });

  test('a sealed one has its runs as blocks and as marks, and cannot be written', async () => {
    await using scratch = await Scratch.create();
    const base = await scratch.base(Number(sizeBytes));
    const dataFile = scratch.path('data');
    const data = randomBytes(Number(sizeBytes));
    const file = await open(dataFile, 'w');
    await file.write(data, 2 * BLOCK_SIZE, 3 * BLOCK_SIZE, 2 * BLOCK_SIZE);
    await file.close();
    const sealed = scratch.path('sealed');
    const runs = BigUint64Array.of(2n, 3n, 9n, 1n);
    await sealOverlayFrom(sealed, { sizeBytes, dataFile, blocks: runs });

    expect(await overlayBlocks([sealed])).toEqual(runs);
    const marks: unknown[] = [];
    for await (const batch of readDirtyLog(sealed)) {
      batch.firstBlocks.forEach((first, i) => {
        if (batch.kinds[i] === DirtyKind.write) marks.push([first, batch.blockCounts[i]]);
      });
    }
    expect(marks).toEqual([
      [2n, 3],
      [9n, 1],
    ]);
    await using view = await DiskView.open({ base, layers: [sealed] });
    const expected = data.subarray(2 * BLOCK_SIZE, 5 * BLOCK_SIZE);
    expect(expected.equals(await view.read(BigInt(2 * BLOCK_SIZE), 3 * BLOCK_SIZE))).toBe(true);
    expect((await view.read(BigInt(9 * BLOCK_SIZE), BLOCK_SIZE)).every((b) => b === 0)).toBe(true);
    await view.close();
    await expect(VirtualDisk.open({ base, layers: [], overlay: sealed })).rejects.toMatchObject({
      code: 'OVERLAY_SEALED',
    });
    await expect(stat(dataFile)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('a merged log keeps the order of the last writes', async () => {
    await using scratch = await Scratch.create();
    const base = await scratch.base(Number(sizeBytes), 1);
    const block = Buffer.alloc(BLOCK_SIZE, 1);
    const layers: string[] = [];
    for (const order of [
      [5, 1, 9],
      [1, 20],
    ]) {
      const overlay = scratch.path(`layer${layers.length}`);
      await createOverlay(overlay, { sizeBytes });
      await using disk = await VirtualDisk.open({ base, layers, overlay });
      for (const n of order) await disk.write(BigInt(n * BLOCK_SIZE), block);
      layers.push(overlay);
    }
    await mergeOverlays(scratch.path('merged'), layers);
    const order: number[] = [];
    for await (const batch of readDirtyLog(scratch.path('merged'))) {
      order.push(...[...batch.firstBlocks].map(Number));
    }
    expect(order).toEqual([5, 9, 1, 20]);
  });

  test('more than 64 layers are refused with the way out', async () => {
    await using scratch = await Scratch.create();
    const chain = await scratch.chain(1 << 20);
    const layers = Array.from({ length: 65 }, () => chain.overlay);
    await expect(DiskView.open({ base: chain.base, layers })).rejects.toMatchObject({
      code: 'CHAIN_TOO_LONG',
      message: expect.stringContaining('mergeOverlays') as unknown,
    });
  });
});
