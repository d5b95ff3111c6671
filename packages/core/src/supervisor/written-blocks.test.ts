import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { BLOCK_SIZE, createOverlay, VirtualDisk } from '@reprise/blkdriver-native';

import { BLOCK_DIGEST_BYTES, blockDigest, blockDigests, writtenBlocks } from './written-blocks.js';

const BLOCKS = 64;
const key = new Uint8Array(32).fill(7);
const content = (byte: number) => Buffer.alloc(BLOCK_SIZE, byte);

describe('what a guest has written', () => {
  let directory: string;
  let disk: VirtualDisk;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'reprise-written-'));
    const base = join(directory, 'base');
    const file = await open(base, 'w');
    await file.truncate(BLOCKS * BLOCK_SIZE);
    await file.close();
    const overlay = join(directory, 'overlay');
    await createOverlay(overlay, { sizeBytes: BigInt(BLOCKS * BLOCK_SIZE) });
    disk = await VirtualDisk.open({ base, layers: [], overlay });
  });

  afterEach(async () => {
    await disk.close();
    await rm(directory, { recursive: true, force: true });
  });

  const write = (block: number, ...bytes: number[]) =>
    disk.write(BigInt(block * BLOCK_SIZE), Buffer.concat(bytes.map(content)));
  const since = (fromSequence: bigint, atMost = 1000, againFrom = fromSequence) =>
    writtenBlocks(disk, { key, againFrom, fromSequence, atMost });

  test('is told while it goes on: each block once, by what it holds by then', async () => {
    await write(40, 1);
    await write(5, 2, 3);
    await write(40, 4);
    const { blocks, digests, nextSequence } = await since(0n);
    expect(blocks).toEqual([5, 6, 40]);
    expect(Buffer.from(digests)).toEqual(
      Buffer.concat([2, 3, 4].map((byte) => blockDigest(key, content(byte)))),
    );
    expect((await since(nextSequence)).blocks).toEqual([]);
    await write(6, 9);
    expect((await since(nextSequence)).blocks).toEqual([6]);
  });

  test('comes in parts where it is much, and none is left out', async () => {
    for (let block = 0; block < 60; block += 3) await write(block, block + 1);
    const told: number[] = [];
    let from = 0n;
    for (;;) {
      const { blocks, digests, nextSequence } = await since(from, 7);
      expect(digests).toHaveLength(blocks.length * BLOCK_DIGEST_BYTES);
      if (blocks.length === 0) break;
      told.push(...blocks);
      from = nextSequence;
    }
    expect(told).toEqual(Array.from({ length: 20 }, (_, i) => 3 * i));
  });

  test('is told once more in the next call, by what it holds then: it may have been read before it was written', async () => {
    await write(40, 1);
    await write(50, 1);
    const first = await since(0n);
    // As a write whose mark was in the log at the first call, and whose data was not on the disk.
    await write(7, 8);
    const second = await since(first.nextSequence, 1, 0n);
    expect(second.blocks).toEqual([7, 40, 50]);
    const third = await since(second.nextSequence, 1, first.nextSequence);
    expect(third.blocks).toEqual([7]);
    expect((await since(third.nextSequence, 1, second.nextSequence)).blocks).toEqual([]);
  });

  test('is digested alike by runs and block by block', async () => {
    for (let block = 0; block < 60; block += 1 + (block % 4)) await write(block, block + 1);
    const blocks = Array.from({ length: BLOCKS }, (_, i) => i).filter((i) => i % 7 !== 3);
    const each = await Promise.all(
      blocks.map(async (block) =>
        blockDigest(key, await disk.read(BigInt(block * BLOCK_SIZE), BLOCK_SIZE)),
      ),
    );
    expect(Buffer.from(await blockDigests(disk, key, blocks))).toEqual(Buffer.concat(each));
  });

  test('cannot be compared without the key of the VM', () => {
    const other = blockDigest(new Uint8Array(32), content(1));
    expect(Buffer.compare(blockDigest(key, content(1)), other)).not.toBe(0);
  });
});
