/** Bytes of a page of memory, and of a chunk of a disk: what the differ compares and matches. */
export const PAGE_SIZE = 4096;
/** Bytes of a leaf of the proof's SHA-256 tree. */
export const LEAF_SIZE = 65536;

/**
 * Bytes that stand in files: packed `[logicalOffset, length, fileIndex, fileOffset]` per extent (in
 * bytes), ascending and disjoint. What no extent covers reads as zeros. The files must not change
 * while an operation reads them.
 */
export interface Image {
  readonly sizeBytes: bigint;
  readonly files: readonly string[];
  readonly extents: BigUint64Array;
}

/** One state of a machine: its memory and its disk. */
export interface State {
  readonly ram: Image;
  readonly disk: Image;
}

export type Space = 'ram' | 'disk';

/** Runs of pages `[first, count, …]`, ascending and disjoint. */
export type PageRuns = BigUint64Array;

/** Pages of an image, the last one perhaps partial. */
export function pageCount(image: Image): number {
  return Number((image.sizeBytes + BigInt(PAGE_SIZE - 1)) / BigInt(PAGE_SIZE));
}

/** Leaves of an image's proof. */
export function leafCount(image: Image): number {
  return Number((image.sizeBytes + BigInt(LEAF_SIZE - 1)) / BigInt(LEAF_SIZE));
}

function firstExtentEndingAfter(extents: BigUint64Array, offset: bigint): number {
  let low = 0;
  let high = extents.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    const end = (extents[middle * 4] ?? 0n) + (extents[middle * 4 + 1] ?? 0n);
    if (end <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The same image with only the extents that touch the pages `[first, first + count)`: what a batch
 * takes to its worker, so that batches over a fragmented disk do not each carry the whole map.
 */
export function sliceImage(image: Image, first: number, count: number): Image {
  const begin = BigInt(first) * BigInt(PAGE_SIZE);
  const end = BigInt(first + count) * BigInt(PAGE_SIZE);
  const from = firstExtentEndingAfter(image.extents, begin);
  let to = from;
  while (to * 4 < image.extents.length && (image.extents[to * 4] ?? end) < end) to++;
  const numbers = new Map<number, number>();
  const files: string[] = [];
  const extents = image.extents.slice(from * 4, to * 4);
  for (let i = 2; i < extents.length; i += 4) {
    const original = Number(extents[i]);
    let number = numbers.get(original);
    if (number === undefined) {
      number = files.push(image.files[original] ?? '') - 1;
      numbers.set(original, number);
    }
    extents[i] = BigInt(number);
  }
  return { sizeBytes: image.sizeBytes, files, extents };
}
