import { access, rename, rm } from 'node:fs/promises';

import type { Differ } from '@reprise/differ';

import type { Snapshot } from '../snapshot/index.js';

import { stateOf } from './images.js';

/**
 * The content index of a snapshot: built at first use, then kept beside it. It is a cache; whoever
 * deletes it only costs the next migration some seconds.
 */
export async function contentIndexOf(
  differ: Differ,
  snapshot: Snapshot,
  options: { signal?: AbortSignal; onProgress?: (done: number, total: number) => void } = {},
): Promise<string> {
  const path = snapshot.paths.index;
  const there = await access(path).then(
    () => true,
    () => false,
  );
  if (there) return path;
  const partial = `${path}.${String(process.pid)}.partial`;
  try {
    await differ.buildIndex(await stateOf(snapshot), partial, {
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      onProgress: ({ done, total }) => options.onProgress?.(done, total),
    });
    await rename(partial, path);
  } finally {
    await rm(partial, { force: true });
  }
  return path;
}
