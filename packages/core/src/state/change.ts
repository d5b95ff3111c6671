import { joinRuns, pageCount, type PageRuns, type State } from '@reprise/differ';
import { overlayBlocks, type BlockRuns } from '@reprise/blkdriver-native';
import type { Differ } from '@reprise/differ';

import type { Snapshot } from '../snapshot/index.js';

import { changedPages } from './content-index.js';
import { stateOf } from './images.js';

/** What changed from a base to a target, and both as the differ reads them. */
export interface Change {
  readonly base: State;
  readonly target: State;
  readonly changed: { readonly ram: PageRuns; readonly disk: BlockRuns };
  /** Overlays that only the target has, oldest first: their logs tell the order. */
  readonly overlays: readonly string[];
}

/** Reads of both RAM images only the leaves whose digests differ; of the disks only what the layers say was written. */
export async function changeBetween(
  differ: Differ,
  base: Snapshot,
  target: Snapshot,
  signal?: AbortSignal,
): Promise<Change> {
  const [from, to] = [await stateOf(base), await stateOf(target)];
  const options = signal === undefined ? {} : { signal };
  const shared = new Set(base.chain.layers);
  const overlays = target.chain.layers.filter((layer) => !shared.has(layer));
  // Where layers were merged meanwhile, the base has some that the target has not: those count too.
  const kept = new Set(target.chain.layers);
  const dropped = base.chain.layers.filter((layer) => !kept.has(layer));
  const disk = await overlayBlocks([...overlays, ...dropped]);
  const within = await changedPages(
    base.paths.ramLeaves,
    target.paths.ramLeaves,
    pageCount(to.ram),
  );
  const ram =
    within === undefined
      ? await differ.compare(from.ram, to.ram, options)
      : await differ.compareWithin(from.ram, to.ram, within, options);
  return { base: from, target: to, changed: { ram, disk: joinRuns([disk]) }, overlays };
}
