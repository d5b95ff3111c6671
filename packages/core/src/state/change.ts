import { overlayBlocks, type BlockRuns } from '@reprise/blkdriver-native';
import {
  compress,
  joinRuns,
  pageCount,
  type Differ,
  type PageRuns,
  type State,
} from '@reprise/differ';

import type { Snapshot } from '../snapshot/index.js';

import { changedPages } from './content-index.js';
import { paddedTo, pagesBehind, restsBesidePages, runsBelow, wholeStateOf } from './whole-state.js';

/** What changed from a base to a target, and both as the differ reads them: with the pages of their device states. */
export interface Change {
  readonly base: State;
  readonly target: State;
  readonly changed: { readonly ram: PageRuns; readonly disk: BlockRuns };
  /** Overlays that only the target has, oldest first: their logs tell the order. */
  readonly overlays: readonly string[];
  /** Pages of the memory itself; those of the device state follow. */
  readonly memoryPages: number;
  readonly device: {
    /** The pages of the target's device state are among what changed; what is left of it is `content`. */
    readonly split: boolean;
    readonly content: Buffer;
    /** What both sides hold that is like it. */
    readonly reference: Buffer;
  };
}

/** Reads of both RAM images only the leaves whose digests differ; of the disks only what the layers say was written. */
export async function changeBetween(
  differ: Differ,
  base: Snapshot,
  target: Snapshot,
  signal?: AbortSignal,
): Promise<Change> {
  const [from, to] = [await wholeStateOf(base), await wholeStateOf(target)];
  const memoryPages = pageCount(to.plain.ram);
  const rests = restsBesidePages(from, to);
  const split = rests !== undefined;
  const states = { base: from.state, target: split ? to.state : paddedTo(to.plain, from.state) };
  const options = signal === undefined ? {} : { signal };
  const shared = new Set(base.chain.layers);
  const overlays = target.chain.layers.filter((layer) => !shared.has(layer));
  // Where layers were merged meanwhile, the base has some that the target has not: those count too.
  const kept = new Set(target.chain.layers);
  const dropped = base.chain.layers.filter((layer) => !kept.has(layer));
  const disk = await overlayBlocks([...overlays, ...dropped]);
  const within = await changedPages(base.paths.ramLeaves, target.paths.ramLeaves, memoryPages);
  const ram =
    within === undefined
      ? await differ.compare(states.base.ram, states.target.ram, options)
      : await differ.compareWithin(
          states.base.ram,
          states.target.ram,
          split ? joinRuns([within, pagesBehind(to)]) : within,
          options,
        );
  return {
    ...{ ...states, overlays, memoryPages },
    changed: { ram: split ? ram : runsBelow(ram, memoryPages), disk: joinRuns([disk]) },
    device: {
      split,
      ...(rests ?? { content: to.device.bytes, reference: from.device.bytes }),
    },
  };
}

/** What travels of the target's device state beside the pages of it that are among what changed. */
export async function packDevice({ device }: Change): Promise<Uint8Array> {
  return await compress(device.content, { reference: device.reference });
}
