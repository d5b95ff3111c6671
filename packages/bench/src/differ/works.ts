import { join } from 'node:path';

import type { Differ, Image, State } from '@reprise/differ';

import type { Memories } from './memory-images.js';

/** What the throughput of a work is held against, and the share of it that is the goal. */
export interface Goal {
  readonly yardstick: 'memcpy' | 'xxh3';
  readonly least: number;
}

/** Something that a source does with a memory image. */
export interface Work {
  readonly name: string;
  /** Images that it reads: a comparison reads two. */
  readonly images: 1 | 2;
  readonly goal?: Goal;
  run(): Promise<unknown>;
}

const NOTHING = new BigUint64Array(0);
const AT_MEMORY_SPEED = 0.7;

/** The name of the work that other programs, which only read and hash, are held against. */
export const INDEX = 'index';

/** What a source does, on one differ; `directory` is for what it writes. */
export function worksOf(differ: Differ, { base, target }: Memories, directory: string): Work[] {
  const disk: Image = { sizeBytes: 0n, files: [], extents: NOTHING };
  const states: { base: State; target: State } = {
    base: { ram: base, disk },
    target: { ram: target, disk },
  };
  const index = join(directory, 'index');
  return [
    {
      name: 'compare',
      images: 2,
      goal: { yardstick: 'memcpy', least: AT_MEMORY_SPEED },
      run: () => differ.compare(base, target),
    },
    {
      name: INDEX,
      images: 1,
      goal: { yardstick: 'xxh3', least: AT_MEMORY_SPEED },
      run: () => differ.buildIndex(states.base, join(directory, 'contents'), { sketches: false }),
    },
    {
      name: 'index with sketches',
      images: 1,
      run: () => differ.buildIndex(states.base, index),
    },
    {
      name: 'leaves (SHA-256)',
      images: 1,
      run: () => differ.hashLeaves(base, join(directory, 'leaves')),
    },
    {
      name: 'compare and plan',
      images: 2,
      run: async () => {
        const changed = { ram: await differ.compare(base, target), disk: NOTHING };
        const plan = await differ.planResidue({ ...states, changed, indexPath: index });
        await plan.close();
      },
    },
  ];
}
