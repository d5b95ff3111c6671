/** What the driver tracks and copies as one, in bytes. */
export const BLOCK_SIZE = 4096;

/** Runs of 4 KiB blocks: [first0, count0, first1, count1, …], ascending, disjoint. */
export type BlockRuns = BigUint64Array;
