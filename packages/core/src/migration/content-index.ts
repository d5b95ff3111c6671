import { access, readFile } from 'node:fs/promises';

import { diffLeaves, DifferError, pageCount, pagesOfLeaves, type Differ } from '@reprise/differ';

import type { Snapshot } from '../snapshot/index.js';

import { stateOf } from './images.js';

/**
 * The content index of a snapshot: made at first use, then kept beside it. Where an earlier snapshot of
 * the line has one, only what changed since is read. It is a cache; whoever deletes it only costs the next
 * migration some seconds.
 */
export async function contentIndexOf(
  differ: Differ,
  snapshot: Snapshot,
  options: {
    signal?: AbortSignal;
    onProgress?: (done: number, total: number) => void;
    /** Earlier snapshots, nearest first. */
    ancestors?: readonly Snapshot[];
  } = {},
): Promise<string> {
  const path = snapshot.paths.index;
  if (await exists(path)) return path;
  const cancel = options.signal === undefined ? {} : { signal: options.signal };
  const state = await stateOf(snapshot);
  for (const ancestor of options.ancestors ?? []) {
    if (!(await exists(ancestor.paths.index))) continue;
    const [ram, disk] = await Promise.all([
      changedPages(ancestor.paths.ramLeaves, snapshot.paths.ramLeaves, pageCount(state.ram)),
      changedPages(ancestor.paths.diskLeaves, snapshot.paths.diskLeaves, pageCount(state.disk)),
    ]);
    if (ram === undefined || disk === undefined) continue;
    const from = ancestor.paths.index;
    try {
      await differ.updateIndex({ from, state, changed: { ram, disk }, path, ...cancel });
      return path;
    } catch (error) {
      // A damaged ancestor's index only costs time.
      if (!(error instanceof DifferError) || !error.code.startsWith('INDEX_')) throw error;
    }
  }
  await differ.buildIndex(state, path, {
    ...cancel,
    onProgress: ({ done, total }) => options.onProgress?.(done, total),
  });
  return path;
}

/**
 * Pages that may differ between two states, by the digests of their leaves: nothing of the states is
 * read. Undefined where the leaves do not fit each other.
 */
export async function changedPages(
  leavesBefore: string,
  leavesAfter: string,
  pages: number,
): Promise<BigUint64Array | undefined> {
  const [before, after] = await Promise.all([readFile(leavesBefore), readFile(leavesAfter)]);
  if (before.length !== after.length) return undefined;
  return pagesOfLeaves(diffLeaves(before, after), pages);
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
