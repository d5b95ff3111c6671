import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { open, readFile, rm, stat, writeFile } from 'node:fs/promises';

import { PAGE_SIZE, pageCount, type ImageReader, type State } from '@reprise/differ';

import { runProgram } from '../baseline/run-program.js';

import { Relevance } from './relevance.js';

/**
 * How much of a base zstd -19 gets as its prefix: its match finder takes a minute to index so much, and hours a whole
 * memory and disk. The part is chosen by {@link Relevance}: what is left out shares little of the content, and nothing rare.
 */
export const PREFIX_BYTES = 64 << 20;

const ZEROS = Buffer.alloc(PAGE_SIZE);
/** Windows cover the prefix, what a replay is known to hold or holds, and the content. */
const MIN_WINDOW_LOG = 27;
const MAX_WINDOW_LOG = 30;
/** Pages looked for in the prefix before its result is believed. */
const PROBES = 16;
/** What a page that stands in the prefix may cost where the index is whole. */
const PROBE_BYTES = 64;

export interface Readers {
  readonly ram: ImageReader;
  readonly disk: ImageReader;
}

/** Writes pages of `state` that share the most with the file `content`, at most {@link PREFIX_BYTES}, the nearest last. */
export async function writeNearest(
  writer: PageWriter,
  source: { readonly state: State; readonly readers: Readers },
  content: string,
  options: { signal?: AbortSignal | undefined; onProgress: (text: string) => void },
): Promise<void> {
  const relevance = new Relevance();
  for await (const page of pagesOfFile(content)) relevance.addContent(page);
  const held = [...heldPages(source.state)];
  const each = async (text: string, visit: (page: Buffer, at: number) => void): Promise<void> => {
    for (const [i, { space, number }] of held.entries()) {
      if (i % 16384 === 0) {
        options.signal?.throwIfAborted();
        const percent = Math.round((i / held.length) * 100);
        options.onProgress(`the oracles: ${text}, ${String(percent)} %`);
      }
      visit(await source.readers[space].page(number), i);
    }
  };
  await each('what the base shares', (page) => {
    relevance.countSharers(page);
  });
  const scores = new Float64Array(held.length);
  await each('what is nearest', (page, at) => {
    scores[at] = relevance.scoreOf(page);
  });
  const nearest = [...scores.keys()]
    .filter((at) => (scores[at] ?? 0) > 0)
    .sort((a, b) => (scores[a] ?? 0) - (scores[b] ?? 0))
    .slice(-PREFIX_BYTES / PAGE_SIZE);
  for (const at of nearest) {
    const page = held[at];
    if (page !== undefined) await writer.write(await source.readers[page.space].page(page.number));
  }
}

/** Bytes of `content` after zstd -19 with the file `prefix` as its prefix, every byte of it in the window and indexed. */
export async function joinedBytes(
  prefix: string,
  content: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  const probe = `${content}.probe`;
  const windowLog = windowFor((await stat(prefix)).size + (await stat(content)).size);
  try {
    const pages = await pagesAllOver(prefix);
    await writeFile(probe, Buffer.concat(pages));
    const found = await patchFrom(prefix, probe, windowLog, signal);
    if (found > PROBE_BYTES * pages.length) {
      throw new Error(
        `zstd does not find pages of its prefix: ${String(found)} bytes for ${String(pages.length)}. Raise its window or its tables.`,
      );
    }
  } finally {
    await rm(probe, { force: true });
  }
  return await patchFrom(prefix, content, windowLog, signal);
}

/** The window that covers so many bytes. */
function windowFor(bytes: number): number {
  const log = Math.max(MIN_WINDOW_LOG, Math.ceil(Math.log2(bytes + 1)));
  if (log <= MAX_WINDOW_LOG) return log;
  throw new Error(
    `The oracle's prefix is ${String(bytes)} bytes, more than zstd's window can cover. Measure a shorter session.`,
  );
}

async function patchFrom(
  prefix: string,
  content: string,
  windowLog: number,
  signal: AbortSignal | undefined,
): Promise<number> {
  let bytes = 0;
  await runProgram(
    'zstd',
    [
      ...['-q', '-c', '-19', '--ultra', `--long=${String(windowLog)}`, '-T1'],
      `--patch-from=${prefix}`,
      // A binary tree takes two entries a position: clog covers half of what it says.
      `--zstd=wlog=${String(windowLog)},hlog=27,clog=${String(Math.min(30, windowLog + 1))},lhlog=26`,
      ...['--', content],
    ],
    { onOutput: (chunk) => (bytes += chunk.length), ...(signal === undefined ? {} : { signal }) },
  );
  return bytes;
}

/** Pages from the first to the last, evenly apart: an index that leaves out a part of the file misses some. */
async function pagesAllOver(path: string): Promise<Buffer[]> {
  const file = await open(path, 'r');
  try {
    const count = Math.floor((await file.stat()).size / PAGE_SIZE);
    const wanted = new Set(
      Array.from({ length: PROBES }, (_, i) => Math.floor((i * (count - 1)) / (PROBES - 1))),
    );
    const pages: Buffer[] = [];
    for (const number of wanted) {
      const page = Buffer.alloc(PAGE_SIZE);
      const { bytesRead } = await file.read(page, 0, PAGE_SIZE, number * PAGE_SIZE);
      pages.push(page.subarray(0, bytesRead));
    }
    return pages;
  } finally {
    await file.close();
  }
}

/** Every page of a state that some file holds. */
function* heldPages(state: State): Generator<{ space: 'ram' | 'disk'; number: number }> {
  for (const space of ['ram', 'disk'] as const) {
    const { extents } = state[space];
    let next = 0;
    for (let i = 0; i + 3 < extents.length; i += 4) {
      const first = Math.max(next, Math.floor(Number(extents[i] ?? 0n) / PAGE_SIZE));
      const end = Math.ceil(Number((extents[i] ?? 0n) + (extents[i + 1] ?? 0n)) / PAGE_SIZE);
      next = Math.min(end, pageCount(state[space]));
      for (let number = first; number < next; number++) yield { space, number };
    }
  }
}

async function* pagesOfFile(path: string): AsyncGenerator<Buffer> {
  const bytes = await readFile(path);
  for (let at = 0; at < bytes.length; at += PAGE_SIZE) yield bytes.subarray(at, at + PAGE_SIZE);
}

/** Writes pages that are not zero to a file, and knows the digest of what it wrote. */
export class PageWriter implements AsyncDisposable {
  readonly #stream: WriteStream;
  readonly #hash: Hash;
  #ended = false;

  /** With `before`, goes on after what that writer wrote to the same file. */
  constructor(path: string, before?: PageWriter) {
    this.#stream = createWriteStream(path, {
      flags: before === undefined ? 'w' : 'a',
      mode: 0o600,
    });
    this.#hash = before === undefined ? createHash('sha256') : before.#hash.copy();
  }

  async write(page: Buffer): Promise<void> {
    if (page.equals(ZEROS)) return;
    this.#hash.update(page);
    if (!this.#stream.write(page)) await once(this.#stream, 'drain');
  }

  /** Of everything written so far. */
  get digest(): string {
    return this.#hash.copy().digest('hex');
  }

  async end(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    this.#stream.end();
    await once(this.#stream, 'close');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}
