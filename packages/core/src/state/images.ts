import { DiskView } from '@reprise/blkdriver-native';
import { fileImage, type Image, type State } from '@reprise/differ';

import type { Snapshot } from '../snapshot/index.js';

/** A chain of disk layers as the differ reads it: where each byte stands. Nothing is copied or opened for long. */
export async function diskImage(chain: {
  readonly base: string;
  readonly layers: readonly string[];
}): Promise<Image> {
  await using view = await DiskView.open(chain);
  const { files, extents } = await view.extents();
  return { sizeBytes: view.sizeBytes, files, extents };
}

/** RAM and disk of a snapshot. */
export async function stateOf(snapshot: Snapshot): Promise<State> {
  const [ram, disk] = await Promise.all([fileImage(snapshot.paths.ram), diskImage(snapshot.chain)]);
  return { ram, disk };
}
