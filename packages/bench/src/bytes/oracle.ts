import { createWriteStream, type WriteStream } from 'node:fs';
import { once } from 'node:events';
import { join } from 'node:path';

import {
  compress,
  ImageReader,
  PAGE_CLASSES,
  PAGE_SIZE,
  pageCount,
  type Answers,
  type ChangedPages,
  type ResiduePlan,
  type State,
} from '@reprise/differ';

import { runProgram } from '../baseline/run-program.js';
import { createScratchDirectory } from '../fixture/directories.js';

/**
 * The limit: what a source would send that had all time and memory. The pages that neither the base nor what the replay
 * is known to have reproduced explains, coded by zstd -19 with everything that the source can know as its prefix, or page by page
 * against the nearest pages, whichever is smaller; and the positions of all pages. With the replayed content too, which
 * only the destination holds, it is the full oracle: no protocol of any number of rounds could do that for nothing.
 */
export interface OracleInput {
  readonly plan: ResiduePlan;
  readonly base: State;
  readonly target: State;
  /** Without a replay: left out. */
  readonly replay?: { readonly state: State; readonly changed: ChangedPages };
  readonly answers?: Answers;
  /** Bytes of what both hosts must exchange anyway: device state and input log. */
  readonly fixedBytes: number;
  readonly directory: string;
  readonly signal?: AbortSignal | undefined;
}

export interface OracleResult {
  readonly total: number;
  /** The pages alone: all at once, with the prefix. */
  readonly joined: number;
  /** The pages alone: each against the nearest pages. */
  readonly pageByPage: number;
  readonly positions: number;
  readonly fixed: number;
  readonly pages: number;
}

const UNKNOWN = PAGE_CLASSES.indexOf('unknown');
const BASE = PAGE_CLASSES.indexOf('base');
const TWIN = PAGE_CLASSES.indexOf('twin');
const NOWHERE = 2n ** 64n - 1n;
const ZEROS = Buffer.alloc(PAGE_SIZE);

/** Both oracles of one session. The full one is left out where nothing was replayed. */
export async function measureOracles(
  input: OracleInput,
): Promise<{ oracle: OracleResult; fullOracle?: OracleResult }> {
  await using scratch = await createScratchDirectory(input.directory, 'oracle');
  const prefix = join(scratch.path, 'prefix');
  await using sources = await openSources(input);
  const unexplained = unexplainedEntries(input);
  const content = join(scratch.path, 'content');
  {
    await using pages = new PageWriter(content);
    for (const { packed } of unexplained)
      await pages.write(await readPacked(sources.target, packed));
  }
  await using writer = new PageWriter(prefix);
  await writeBase(writer, sources.base, input.base, input);
  await writeReproduced(writer, input, sources.target);
  await writer.end();
  const positions = await positionBytes(input);
  const measure = async (withReplay: boolean): Promise<OracleResult> => {
    const joined = await patchFrom(prefix, content, input.signal);
    const pageByPage = await nearestPages(input, unexplained, sources, withReplay);
    const fixed = input.fixedBytes;
    const total = Math.min(joined, pageByPage) + positions + fixed;
    return { total, joined, pageByPage, positions, fixed, pages: unexplained.length };
  };
  const oracle = await measure(false);
  if (input.replay === undefined || sources.replay === undefined) return { oracle };
  await using more = new PageWriter(prefix, 'a');
  for (const space of ['ram', 'disk'] as const) {
    const runs = input.replay.changed[space];
    for (let i = 0; i + 1 < runs.length; i += 2) {
      for (let page = Number(runs[i]); page < Number(runs[i]) + Number(runs[i + 1]); page++) {
        if (page < pageCount(input.replay.state[space])) {
          await more.write(await sources.replay[space].page(page));
        }
      }
    }
  }
  await more.end();
  return { oracle, fullOracle: await measure(true) };
}

interface Readers {
  readonly ram: ImageReader;
  readonly disk: ImageReader;
}

async function openReaders(state: State): Promise<Readers> {
  return { ram: await ImageReader.open(state.ram), disk: await ImageReader.open(state.disk) };
}

async function openSources(input: OracleInput) {
  const base = await openReaders(input.base);
  const target = await openReaders(input.target);
  const replay = input.replay === undefined ? undefined : await openReaders(input.replay.state);
  return {
    ...{ base, target, replay },
    [Symbol.asyncDispose]: async () => {
      for (const readers of [base, target, replay]) {
        await readers?.ram.close();
        await readers?.disk.close();
      }
    },
  };
}

const readPacked = (readers: Readers, packed: bigint) =>
  readers[(packed & 1n) === 0n ? 'ram' : 'disk'].page(Number(packed >> 1n));

/** Packed locations of the pages that must be carried, and their entries' numbers. */
function unexplainedEntries({ plan, answers }: OracleInput): Unexplained {
  const { classes, pages } = plan.entries;
  const out: { entry: number; packed: bigint }[] = [];
  let question = 0;
  classes.forEach((kind, entry) => {
    if (kind !== UNKNOWN) return;
    const location = answers?.locations[question++];
    if (location === undefined || location === NOWHERE) {
      out.push({ entry, packed: pages[entry] ?? 0n });
    }
  });
  return out;
}

type Unexplained = readonly { readonly entry: number; readonly packed: bigint }[];

/**
 * Of the base: every page of memory that is not zero, and of the disk those that resemble what must be carried. The whole
 * disk would take zstd an hour to index and holds nothing else that is near.
 */
async function writeBase(
  writer: PageWriter,
  readers: Readers,
  state: State,
  { plan }: OracleInput,
): Promise<void> {
  const near = new Set(plan.entries.hints.filter((at) => at !== NOWHERE && (at & 1n) === 1n));
  for (const at of near) await writer.write(await readPacked(readers, at));
  const { extents } = state.ram;
  let next = 0;
  for (let i = 0; i + 3 < extents.length; i += 4) {
    const first = Math.max(next, Math.floor(Number(extents[i] ?? 0n) / PAGE_SIZE));
    const end = Math.ceil(Number((extents[i] ?? 0n) + (extents[i + 1] ?? 0n)) / PAGE_SIZE);
    for (let page = first; page < end; page++) await writer.write(await readers.ram.page(page));
    next = end;
  }
}

/** Pages of the target that the replay is known to hold: the source knows their content. */
async function writeReproduced(
  writer: PageWriter,
  { plan, answers }: OracleInput,
  target: Readers,
): Promise<void> {
  if (answers === undefined) return;
  const { classes, pages } = plan.entries;
  let question = 0;
  for (const [entry, kind] of classes.entries()) {
    if (kind !== UNKNOWN) continue;
    if (answers.locations[question++] === NOWHERE) continue;
    await writer.write(await readPacked(target, pages[entry] ?? 0n));
  }
}

/** What tells where each page comes from: one record a run, through zstd -19. */
async function positionBytes({ plan, answers }: OracleInput): Promise<number> {
  const { classes, pages, sources } = plan.entries;
  const records: number[] = [];
  let last = { page: 0n, kind: -1, source: 0n };
  let question = 0;
  for (const [i, packed] of pages.entries()) {
    const asked = classes[i] === UNKNOWN ? answers?.locations[question++] : undefined;
    const kind = asked !== undefined && asked !== NOWHERE ? 9 : (classes[i] ?? 0);
    const source = sources[i] ?? 0n;
    const goesOn =
      kind === last.kind &&
      packed === last.page + 2n &&
      (kind !== BASE || source === last.source + 2n);
    if (!goesOn) {
      pushVarint(records, packed - last.page);
      records.push(kind);
      if (kind === BASE || kind === TWIN) pushVarint(records, signed(source - last.source));
    }
    last = { page: packed, kind, source: kind === BASE || kind === TWIN ? source : last.source };
  }
  return (await compress(Uint8Array.from(records), { level: 19 })).length;
}

function signed(value: bigint): bigint {
  return value < 0n ? -value * 2n - 1n : value * 2n;
}

function pushVarint(out: number[], value: bigint): void {
  let rest = value < 0n ? signed(value) : value;
  for (; rest > 127n; rest >>= 7n) out.push(Number(rest & 127n) | 128);
  out.push(Number(rest));
}

/**
 * zstd's own program with the whole prefix in its window. Its tables are made large enough to index every byte of it: by
 * default it would load only the end.
 */
async function patchFrom(
  prefix: string,
  content: string,
  signal: AbortSignal | undefined,
): Promise<number> {
  let bytes = 0;
  await runProgram(
    'zstd',
    [
      ...['-q', '-c', '-19', '--ultra', '--long=30', '-T1', `--patch-from=${prefix}`],
      ...['--zstd=hlog=27,clog=27,wlog=30,lhlog=26', '--', content],
    ],
    { onOutput: (chunk) => (bytes += chunk.length), ...(signal === undefined ? {} : { signal }) },
  );
  return bytes;
}

/** Each page alone, against the base's page at its place, those that resemble it, and the replay's at its place. */
async function nearestPages(
  { plan }: OracleInput,
  unexplained: Unexplained,
  { base, target, replay }: { base: Readers; target: Readers; replay: Readers | undefined },
  withReplay: boolean,
): Promise<number> {
  const { hints } = plan.entries;
  let bytes = 0;
  let before: Buffer = Buffer.alloc(PAGE_SIZE);
  for (const { entry, packed } of unexplained) {
    const near = [before, await readPacked(base, packed)];
    for (const hint of [hints[entry * 2 + 1], hints[entry * 2]]) {
      if (hint !== undefined && hint !== NOWHERE) near.unshift(await readPacked(base, hint));
    }
    if (withReplay && replay !== undefined) near.push(await readPacked(replay, packed));
    const page = await readPacked(target, packed);
    // The frame's header and checksums are not content.
    bytes += Math.max(1, (await compress(page, { reference: Buffer.concat(near) })).length - 9);
    before = page;
  }
  return bytes;
}

class PageWriter implements AsyncDisposable {
  readonly #stream: WriteStream;
  #ended = false;

  constructor(path: string, flags: 'w' | 'a' = 'w') {
    this.#stream = createWriteStream(path, { flags, mode: 0o600 });
  }

  async write(page: Buffer): Promise<void> {
    if (page.equals(ZEROS)) return;
    if (!this.#stream.write(page)) await once(this.#stream, 'drain');
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
