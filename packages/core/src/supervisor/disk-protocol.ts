/** What the supervisor and the process that serves its disk say to each other, over Node's IPC. */

export interface DiskOpen {
  readonly kind: 'open';
  readonly base: string;
  readonly layers: readonly string[];
  readonly overlay: string;
  readonly socketPath: string;
  readonly exportName: string;
}

export type DiskRequest = DiskOpen | { readonly kind: 'close' };

export type DiskReply =
  | { readonly kind: 'serving' }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };
