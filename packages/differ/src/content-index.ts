import { link, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { DifferError } from './errors.js';
import { pageCount, sliceImage, type State } from './image.js';
import type { FingerprintKey, TableKind } from './native.js';
import { PAGES_PER_BATCH, type ChangedPages, type OperationOptions } from './operation.js';
import { expandRuns } from './page-runs.js';
import type { WorkerPool } from './worker-pool.js';

export interface IndexInfo {
  /** Pages that can be found by content; of one content at most two a space and segment. */
  readonly entries: number;
  /** Of all files of the index: about 16 B a distinct page for the contents, 64 B for the sketches. */
  readonly fileBytes: number;
}

export interface BuildIndexOptions extends OperationOptions {
  /** Also index resemblance; default true. Without it a plan finds equal pages, not similar ones. */
  readonly sketches?: boolean;
}

/** Bounds the memory of a build: pages of one segment, 8 GiB of content. */
const PAGES_PER_SEGMENT = 1 << 21;
/** Beyond so many segments the small ones are merged: a look-up visits each. */
const MAX_SEGMENTS = 24;
/** Bounds the memory of a merge; a segment of {@link PAGES_PER_SEGMENT} is about as large. */
const MAX_MERGED_BYTES = 128 << 20;
/** A segment this many times as large as all newer ones waits until they have grown. */
const WORTH_WAITING = 2;

const KINDS: readonly TableKind[] = ['pages', 'features'];

/** Tables of one kind in the index at `path`, oldest segment first. Throws INDEX_CORRUPT when there is none. */
export async function indexTables(path: string, kind: TableKind): Promise<string[]> {
  const names = await readdir(path).catch((cause: unknown) => {
    throw new DifferError(
      'INDEX_CORRUPT',
      `There is no content index at ${path}. Build it from the snapshot.`,
      { cause, context: { path } },
    );
  });
  const tables = names.filter((name) => name.endsWith(`.${kind}`)).sort();
  return tables.map((name) => join(path, name));
}

/** Builds the index of a whole state in a directory at `path`, in segments of bounded size. */
export async function buildIndex(
  pool: WorkerPool,
  key: FingerprintKey,
  state: State,
  path: string,
  options: BuildIndexOptions = {},
): Promise<IndexInfo> {
  const kinds = options.sketches === false ? KINDS.slice(0, 1) : KINDS;
  const [ramPages, diskPages] = [pageCount(state.ram), pageCount(state.disk)];
  const total = (ramPages + diskPages) * kinds.length;
  let before = 0;
  return await inNewDirectory(path, async (directory) => {
    const info = { entries: 0, fileBytes: 0 };
    let segment = 0;
    for (const space of ['ram', 'disk'] as const) {
      const pages = pageCount(state[space]);
      for (let start = 0; start < pages; start += PAGES_PER_SEGMENT) {
        const size = Math.min(PAGES_PER_SEGMENT, pages - start);
        for (const kind of kinds) {
          const parts = await pool.ranges(
            size,
            PAGES_PER_BATCH,
            (offset, count) => indexBatch(pool, key, state, space, kind, start + offset, count),
            {
              signal: options.signal,
              onBatch: (done) => options.onProgress?.({ done: before + done, total }),
            },
          );
          before += size;
          options.signal?.throwIfAborted();
          const table = join(directory, tableName(segment, kind));
          const written = await pool.kernelGiven(
            parts,
            'writeTable',
            key,
            table,
            kind,
            parts,
            ramPages,
            diskPages,
          );
          if (kind === 'pages') info.entries += written.entries;
          info.fileBytes += written.fileBytes;
        }
        segment++;
      }
    }
    return info;
  });
}

/**
 * The index of a later snapshot from an earlier one's: only `changed` pages are read. The segments are
 * shared by hard links; what an older segment says about a changed page is found to be wrong when it is
 * looked at.
 */
export async function updateIndex(
  pool: WorkerPool,
  key: FingerprintKey,
  o: { from: string; state: State; changed: ChangedPages; path: string } & OperationOptions,
): Promise<IndexInfo> {
  const { from, state, changed, path } = o;
  const sizes = [pageCount(state.ram), pageCount(state.disk)] as const;
  return await inNewDirectory(path, async (directory) => {
    const last = await shareSegments(from, directory);
    const info = { entries: 0, fileBytes: 0 };
    let segment = last;
    for (const space of ['ram', 'disk'] as const) {
      const pages = expandRuns(space, changed[space], pageCount(state[space]));
      for (let start = 0; start < pages.length; start += PAGES_PER_SEGMENT) {
        const some = pages.subarray(start, start + PAGES_PER_SEGMENT);
        const found = await pool.ranges(
          some.length,
          PAGES_PER_BATCH,
          (first, count) =>
            pool.kernel('indexListed', key, state, some.slice(first, first + count)),
          { signal: o.signal },
        );
        segment++;
        for (const kind of KINDS) {
          const table = join(directory, tableName(segment, kind));
          const parts = found.map((part) => part[kind]);
          const written = await pool.kernelGiven(
            parts,
            ...(['writeTable', key, table, kind, parts, ...sizes] as const),
          );
          if (kind === 'pages') info.entries += written.entries;
          info.fileBytes += written.fileBytes;
        }
      }
    }
    for (const kind of KINDS) await mergeSegments(pool, key, directory, kind, sizes);
    return info;
  });
}

function indexBatch(
  pool: WorkerPool,
  key: FingerprintKey,
  state: State,
  space: 'ram' | 'disk',
  kind: TableKind,
  first: number,
  count: number,
): Promise<Uint8Array> {
  const slice = sliceImage(state[space], first, count);
  const number = space === 'ram' ? 0 : 1;
  return kind === 'pages'
    ? pool.kernel('indexPages', key, slice, number, first, count)
    : pool.kernel('sketchPages', slice, number, first, count);
}

function tableName(segment: number, kind: TableKind): string {
  return `${String(segment).padStart(6, '0')}.${kind}`;
}

/** Links every table of `from` into `to`; the number of the last segment. */
async function shareSegments(from: string, to: string): Promise<number> {
  let last = -1;
  for (const name of (await readdir(from)).sort()) {
    if (!KINDS.some((kind) => name.endsWith(`.${kind}`))) continue;
    await link(join(from, name), join(to, name));
    last = Math.max(last, Number.parseInt(name, 10));
  }
  return last;
}

async function mergeSegments(
  pool: WorkerPool,
  key: FingerprintKey,
  directory: string,
  kind: TableKind,
  [ramPages, diskPages]: readonly [number, number],
): Promise<void> {
  const tables = await indexTables(directory, kind);
  if (tables.length <= MAX_SEGMENTS) return;
  const sizes = await Promise.all(tables.map(async (table) => (await stat(table)).size));
  const { first, end } = worthMerging(sizes, MAX_MERGED_BYTES);
  const merging = tables.slice(first, end);
  const target = merging.at(-1);
  if (merging.length < 2 || target === undefined) return;
  const merged = `${target}.merged`;
  await pool.kernel('mergeTables', key, kind, merging, merged, ramPages, diskPages);
  for (const table of merging) await rm(table);
  await rename(merged, target);
}

/**
 * Which neighbours to make one, of segments with these sizes, oldest first: the newest together with older ones that
 * are not much larger, so that each entry is copied a few times only; where those are too large, the cheapest two. Only
 * neighbours: order tells which of two entries for a page is the newer. An empty range where all are too large.
 */
export function worthMerging(
  sizes: readonly number[],
  maxBytes: number,
): { first: number; end: number } {
  const size = (at: number): number => sizes[at] ?? Infinity;
  let first = sizes.length - 1;
  let sum = size(first);
  while (first > 0 && sum + size(first - 1) <= maxBytes) {
    const isAlone = first === sizes.length - 1;
    if (!isAlone && size(first - 1) > WORTH_WAITING * sum) break;
    first--;
    sum += size(first);
  }
  if (first < sizes.length - 1) return { first, end: sizes.length };
  let cheapest = { first: 0, end: 0 };
  let least = maxBytes;
  for (let at = 0; at + 1 < sizes.length; at++) {
    if (size(at) + size(at + 1) > least) continue;
    least = size(at) + size(at + 1);
    cheapest = { first: at, end: at + 2 };
  }
  return cheapest;
}

/** Makes a directory under a temporary name: whoever finds `path` finds it whole. */
async function inNewDirectory<T>(
  path: string,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const partial = `${path}.partial`;
  await rm(partial, { recursive: true, force: true });
  try {
    await mkdir(partial, { mode: 0o700 });
    const result = await work(partial);
    await rm(path, { recursive: true, force: true });
    await rename(partial, path);
    return result;
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    if (error instanceof DifferError || (error as Error).name === 'AbortError') throw error;
    throw new DifferError(
      'FILE_UNWRITABLE',
      `Cannot write the content index at ${path}. Check its folder and the free space.`,
      { context: { path }, cause: error },
    );
  }
}
