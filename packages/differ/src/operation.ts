import type { PageRuns } from './image.js';

export interface OperationOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}
export interface ChangedPages {
  readonly ram: PageRuns;
  readonly disk: PageRuns;
}

// Long enough to drown the cost of a call, short enough to cancel between two.
export const PAGES_PER_BATCH = 16384;

export function batchOptions(
  options: OperationOptions,
  total: number,
): { signal?: AbortSignal | undefined; onBatch: (done: number) => void } {
  return { signal: options.signal, onBatch: (done) => options.onProgress?.({ done, total }) };
}
