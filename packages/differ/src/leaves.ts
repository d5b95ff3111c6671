import { open, rename, rm, readFile } from 'node:fs/promises';
import { DifferError, fromNative } from './errors.js';
import { LEAF_SIZE, PAGE_SIZE, type PageRuns } from './image.js';
import { native } from './native.js';
import { joinRuns } from './page-runs.js';

/** Bytes of a digest in a list of leaves. */
export const DIGEST_SIZE = 32;
const PAGES_PER_LEAF = BigInt(LEAF_SIZE / PAGE_SIZE);

/** Root of the tree over leaf digests (32 B each). Throws LEAVES_INVALID. */
export function merkleRoot(leaves: Uint8Array): Uint8Array {
  try {
    return native().merkleRoot(leaves);
  } catch (error) {
    throw fromNative(error);
  }
}

/**
 * The level above a level of digests. Two hosts that compare level by level from the root exchange only
 * what differs, not every leaf. Throws LEAVES_INVALID.
 */
export function merkleParents(level: Uint8Array): Uint8Array {
  try {
    return native().merkleParents(level);
  } catch (error) {
    throw fromNative(error);
  }
}

/** Runs of leaves whose digests differ. Both lists must have the same length (else LEAVES_INVALID). */
export function diffLeaves(expected: Uint8Array, actual: Uint8Array): BigUint64Array {
  if (expected.length !== actual.length || expected.length % DIGEST_SIZE !== 0) {
    throw new DifferError(
      'LEAVES_INVALID',
      'The two lists of leaf digests do not have the same whole number of digests. Hash both images.',
      { context: { expectedBytes: expected.length, actualBytes: actual.length } },
    );
  }
  const runs: BigUint64Array[] = [];
  for (let at = 0; at < expected.length; at += DIGEST_SIZE) {
    const left = expected.subarray(at, at + DIGEST_SIZE);
    if (Buffer.compare(left, actual.subarray(at, at + DIGEST_SIZE)) !== 0) {
      runs.push(BigUint64Array.of(BigInt(at / DIGEST_SIZE), 1n));
    }
  }
  return joinRuns(runs);
}

/** Runs of leaves as runs of pages, cut at the image's last page. */
export function pagesOfLeaves(leafRuns: BigUint64Array, pages: number): PageRuns {
  const out = leafRuns.map((value) => value * PAGES_PER_LEAF);
  const last = out.length - 2;
  if (last >= 0) {
    const first = out[last] ?? 0n;
    const room = BigInt(pages) - first;
    if ((out[last + 1] ?? 0n) > room) out[last + 1] = room;
  }
  return out;
}

/** Runs of the leaves that hold any of these pages. */
export function leavesOfPages(pageRuns: PageRuns): BigUint64Array {
  const runs: BigUint64Array[] = [];
  let reached = 0n;
  for (let i = 0; i + 1 < pageRuns.length; i += 2) {
    const firstPage = pageRuns[i] ?? 0n;
    const pages = pageRuns[i + 1] ?? 0n;
    if (pages === 0n) continue;
    let first = firstPage / PAGES_PER_LEAF;
    if (first < reached) first = reached; // its first leaf is already in the run before
    const end = (firstPage + pages - 1n) / PAGES_PER_LEAF + 1n;
    if (end > first) runs.push(BigUint64Array.of(first, end - first));
    if (end > reached) reached = end;
  }
  return joinRuns(runs);
}

export async function readLeaves(path: string, leaves: number): Promise<Buffer> {
  const bytes = await readFile(path);
  if (bytes.length !== leaves * DIGEST_SIZE) {
    throw new DifferError(
      'LEAVES_INVALID',
      `The leaf digests in ${path} are not those of an image of this size. Hash the image again.`,
      { context: { path, bytes: bytes.length, leaves } },
    );
  }
  return bytes;
}

/** Writes leaf digests under a temporary name first: no reader ever sees half a list. */
export async function writeLeaves(path: string, leaves: Uint8Array): Promise<void> {
  const temporary = `${path}.partial`;
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(leaves);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new DifferError(
      'FILE_UNWRITABLE',
      `Cannot write the leaf digests to ${path}. Check its folder and the free space.`,
      { context: { path }, cause },
    );
  }
}
