import { createHash } from 'node:crypto';
import { open, readFile, stat, writeFile } from 'node:fs/promises';

import type { Image, PageRuns } from '@reprise/differ';

import type { DigestTree } from '../ports.js';

/**
 * The proof's tree, slow and obvious: the oracle that the tests hold the differ against. Reads a whole image into memory;
 * for tests only.
 */
const LEAF_BYTES = 65536;
const PAGE_BYTES = 4096;

export const referenceDigestTree: DigestTree = {
  async fileImage(path) {
    const { size } = await stat(path);
    return {
      sizeBytes: BigInt(size),
      files: [path],
      extents: BigUint64Array.of(0n, BigInt(size), 0n, 0n),
    };
  },

  async hashLeaves(image, leavesPath) {
    const bytes = await readImage(image);
    const leaves: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += LEAF_BYTES) {
      const leaf = Buffer.alloc(LEAF_BYTES);
      bytes.copy(leaf, 0, at, at + LEAF_BYTES);
      leaves.push(sha256(0, leaf));
    }
    await writeFile(leavesPath, Buffer.concat(leaves));
    return treeRoot(leaves);
  },

  async updateLeaves(fromPath, image, changed, toPath) {
    const bytes = await readImage(image);
    const old = await readFile(fromPath);
    const leaves: Buffer[] = [];
    for (let at = 0; at < old.length; at += 32) leaves.push(old.subarray(at, at + 32));
    for (let i = 0; i < changed.length; i += 2) {
      const first = Number(changed[i]);
      for (let page = first; page < first + Number(changed[i + 1]); page++) {
        const number = Math.floor((page * PAGE_BYTES) / LEAF_BYTES);
        const leaf = Buffer.alloc(LEAF_BYTES);
        bytes.copy(leaf, 0, number * LEAF_BYTES, (number + 1) * LEAF_BYTES);
        leaves[number] = sha256(0, leaf);
      }
    }
    await writeFile(toPath, Buffer.concat(leaves));
    return treeRoot(leaves);
  },

  async compare(a, b) {
    const [left, right] = [await readImage(a), await readImage(b)];
    const runs: bigint[] = [];
    for (let page = 0; page * PAGE_BYTES < Math.max(left.length, right.length); page++) {
      const at = page * PAGE_BYTES;
      const same = padded(left, at).equals(padded(right, at));
      if (!same) runs.push(BigInt(page), 1n);
    }
    return BigUint64Array.from(runs) satisfies PageRuns;
  },

  close: () => Promise.resolve(),
};

/** The root over leaf digests: pairs hashed level by level, an odd one promoted. */
export function treeRoot(leaves: readonly Buffer[]): Buffer {
  let level = [...leaves];
  while (level.length > 1) {
    const above: Buffer[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i], level[i + 1]];
      if (left === undefined) break;
      above.push(right === undefined ? left : sha256(1, left, right));
    }
    level = above;
  }
  return level[0] ?? Buffer.alloc(32);
}

async function readImage(image: Image): Promise<Buffer> {
  const bytes = Buffer.alloc(Number(image.sizeBytes));
  for (let i = 0; i < image.extents.length; i += 4) {
    const [offset = 0n, length = 0n, file = 0n, fileOffset = 0n] = image.extents.subarray(i, i + 4);
    const path = image.files[Number(file)];
    if (path === undefined) throw new Error('an extent names no file');
    const handle = await open(path);
    try {
      await handle.read(bytes, Number(offset), Number(length), Number(fileOffset));
    } finally {
      await handle.close();
    }
  }
  return bytes;
}

function padded(bytes: Buffer, at: number): Buffer {
  const page = Buffer.alloc(PAGE_BYTES);
  bytes.copy(page, 0, at, at + PAGE_BYTES);
  return page;
}

function sha256(domain: number, ...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash('sha256').update(Uint8Array.of(domain));
  for (const part of parts) hash.update(part);
  return hash.digest();
}
