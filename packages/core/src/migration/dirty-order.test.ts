import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BLOCK_SIZE, createOverlay, VirtualDisk } from '@reprise/blkdriver-native';

import { lastWrittenFirst } from './dirty-order.js';

const DISK_BYTES = 1024n * 1024n;

describe('the order in which dirty blocks are shipped', () => {
  let directory: string;
  let base: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-order-'));
    base = join(directory, 'base');
    await writeFile(base, '');
    await truncate(base, Number(DISK_BYTES));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** An overlay on `layers` in which these blocks were written, in this order. */
  async function session(layers: readonly string[], blocks: readonly number[]): Promise<string> {
    const overlay = join(directory, `overlay-${String(layers.length)}`);
    await createOverlay(overlay, { sizeBytes: DISK_BYTES });
    await using disk = await VirtualDisk.open({ base, layers, overlay });
    for (const block of blocks) {
      await disk.write(BigInt(block * BLOCK_SIZE), Buffer.alloc(BLOCK_SIZE, block + 1));
    }
    await disk.flush();
    return overlay;
  }

  const blocksOf = (runs: BigUint64Array) =>
    Array.from({ length: runs.length / 2 }, (_, i) =>
      Array.from({ length: Number(runs[2 * i + 1]) }, (_, j) => Number(runs[2 * i]) + j),
    ).flat();

  test('is last written first, each block once, over all sessions', async () => {
    const first = await session([], [9, 2, 40]);
    const second = await session([first], [7, 2, 100]);
    const order = await lastWrittenFirst([first, second], DISK_BYTES);
    expect(blocksOf(order)).toEqual([100, 2, 7, 40, 9]);
  });

  test('is empty where nothing was written', async () => {
    const overlay = await session([], []);
    expect(await lastWrittenFirst([overlay], DISK_BYTES)).toHaveLength(0);
  });
});
