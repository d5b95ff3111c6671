import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import {
  diffLeaves,
  DifferError,
  joinRuns,
  pageCount,
  pagesOfLeaves,
  type Differ,
} from '@reprise/differ';

import { isErrno, temporaryPath } from '../lease/durable-file.js';
import { exists, type Snapshot } from '../snapshot/index.js';

import { pagesBehind, wholeStateOf } from './whole-state.js';

/**
 * The content index of a snapshot: made once, while a session runs on it or at first use, and kept beside it. Where an
 * earlier snapshot of the line has one, only what changed since is read. It is a cache; whoever deletes it only costs the
 * next migration some seconds. Several processes may make it at once.
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
  const whole = await wholeStateOf(snapshot);
  const { state, plain } = whole;
  for (const ancestor of options.ancestors ?? []) {
    if (!(await exists(ancestor.paths.index))) continue;
    // Tables say for how many pages they were made.
    if ((await wholeStateOf(ancestor)).state.ram.sizeBytes !== state.ram.sizeBytes) continue;
    const [memory, disk] = await Promise.all([
      changedPages(ancestor.paths.ramLeaves, snapshot.paths.ramLeaves, pageCount(plain.ram)),
      changedPages(ancestor.paths.diskLeaves, snapshot.paths.diskLeaves, pageCount(state.disk)),
    ]);
    if (memory === undefined || disk === undefined) continue;
    const ram = joinRuns([memory, pagesBehind(whole)]);
    const from = ancestor.paths.index;
    try {
      await madeBeside(path, (made) =>
        differ.updateIndex({ from, state, changed: { ram, disk }, path: made, ...cancel }),
      );
      return path;
    } catch (error) {
      // A damaged ancestor's index only costs time.
      if (!(error instanceof DifferError) || !error.code.startsWith('INDEX_')) throw error;
    }
  }
  await madeBeside(path, (made) =>
    differ.buildIndex(state, made, {
      ...cancel,
      onProgress: ({ done, total }) => options.onProgress?.(done, total),
    }),
  );
  return path;
}

/** Whoever finds `path` finds it whole. Where another process was faster, its index is as good. */
async function madeBeside(path: string, make: (made: string) => Promise<unknown>): Promise<void> {
  const directory = temporaryPath(path); // swept with the store when its maker was killed
  await mkdir(directory, { mode: 0o700 });
  try {
    const made = join(directory, 'index');
    await make(made);
    await rename(made, path).catch((error: unknown) => {
      if (!isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
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
