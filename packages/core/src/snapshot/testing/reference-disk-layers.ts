import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { DiskLayers } from '../ports.js';

/**
 * Overlays, slow and obvious: a directory with a sparse `data` file and the list of blocks that it holds. It lets the store's tests
 * run on every machine; the same tests run on the block driver's own overlays where that is built.
 */
const BLOCK_BYTES = 4096;

export const referenceDiskLayers: DiskLayers = {
  async createOverlay(directory, sizeBytes) {
    await mkdir(directory);
    const file = await open(join(directory, 'data'), 'wx');
    await file.truncate(Number(sizeBytes));
    await file.close();
    await writeBlocks(directory, []);
  },

  async mergeOverlays(directory, layers) {
    const [first] = layers;
    if (first === undefined) throw new Error('nothing to merge');
    await this.createOverlay(directory, BigInt((await stat(join(first, 'data'))).size));
    for (const layer of layers) {
      const data = await readFile(join(layer, 'data'));
      for (const block of await readBlocks(layer)) {
        const at = block * BLOCK_BYTES;
        await writeReferenceBlock(directory, block, data.subarray(at, at + BLOCK_BYTES));
      }
    }
  },

  async overlayBlocks(layers) {
    const all = new Set<number>();
    for (const layer of layers) for (const block of await readBlocks(layer)) all.add(block);
    return BigUint64Array.from([...all].sort((a, b) => a - b).flatMap((n) => [BigInt(n), 1n]));
  },

  async image(base, layers) {
    const { size } = await stat(base);
    const extents: bigint[] = [];
    const held = await Promise.all(layers.map(async (layer) => new Set(await readBlocks(layer))));
    for (let block = 0; block * BLOCK_BYTES < size; block++) {
      const at = BigInt(block * BLOCK_BYTES);
      const layer = held.findLastIndex((blocks) => blocks.has(block));
      extents.push(at, BigInt(BLOCK_BYTES), BigInt(layer + 1), at);
    }
    return {
      sizeBytes: BigInt(size),
      files: [base, ...layers.map((layer) => join(layer, 'data'))],
      extents: BigUint64Array.from(extents),
    };
  },
};

/** Writes one block of 4 KiB as a guest would. */
export async function writeReferenceBlock(
  directory: string,
  block: number,
  bytes: Uint8Array,
): Promise<void> {
  const file = await open(join(directory, 'data'), 'r+');
  await file.write(bytes, 0, BLOCK_BYTES, block * BLOCK_BYTES);
  await file.close();
  await writeBlocks(directory, [...new Set([...(await readBlocks(directory)), block])]);
}

async function readBlocks(directory: string): Promise<number[]> {
  return JSON.parse(await readFile(join(directory, 'blocks.json'), 'utf8')) as number[];
}

async function writeBlocks(directory: string, blocks: readonly number[]): Promise<void> {
  await writeFile(join(directory, 'blocks.json'), JSON.stringify(blocks));
}
