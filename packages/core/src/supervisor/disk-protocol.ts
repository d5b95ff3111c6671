/** What the supervisor and the process that serves its disk say to each other, over Node's IPC. */

export interface DiskOpen {
  readonly kind: 'open';
  readonly base: string;
  readonly layers: readonly string[];
  readonly overlay: string;
  readonly socketPath: string;
  readonly exportName: string;
}

/** What the guest wrote since; see written-blocks.ts. */
export interface DiskWritten {
  readonly kind: 'written';
  /** Base64. */
  readonly key: string;
  /** Decimal, both. */
  readonly againFrom: string;
  readonly fromSequence: string;
  readonly atMost: number;
}

export type DiskRequest = DiskOpen | DiskWritten | { readonly kind: 'close' };

export type DiskReply =
  | { readonly kind: 'serving' }
  | {
      readonly kind: 'written';
      readonly blocks: readonly number[];
      /** Base64. */
      readonly digests: string;
      readonly nextSequence: string;
    }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };
