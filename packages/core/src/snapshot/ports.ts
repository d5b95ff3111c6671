import type { BlockRuns } from '@reprise/blkdriver-native';
import type { Image, PageRuns } from '@reprise/differ';

/** What the store needs of the differ, and no more: the proof's trees. */
export interface DigestTree {
  /** A plain file, whose holes are found. */
  fileImage(path: string): Promise<Image>;
  /** Hashes every leaf; writes the leaf digests to `leavesPath` (replaced); resolves to the root. */
  hashLeaves(image: Image, leavesPath: string, options?: TreeOptions): Promise<Uint8Array>;
  /** The same from the leaves of an earlier state, re-hashing only leaves that hold a changed page. */
  updateLeaves(
    fromPath: string,
    image: Image,
    changed: PageRuns,
    toPath: string,
    options?: TreeOptions,
  ): Promise<Uint8Array>;
  /** Pages that differ. */
  compare(a: Image, b: Image, options?: TreeOptions): Promise<PageRuns>;
  close(): Promise<void>;
}

export interface TreeOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

/** What the store needs of the block driver: layers as opaque directories. */
export interface DiskLayers {
  createOverlay(directory: string, sizeBytes: bigint): Promise<void>;
  mergeOverlays(directory: string, layers: readonly string[], signal?: AbortSignal): Promise<void>;
  /** Blocks that the layers hold, together. */
  overlayBlocks(layers: readonly string[]): Promise<BlockRuns>;
  /** Where the bytes of the disk stand. */
  image(base: string, layers: readonly string[]): Promise<Image>;
}
