import { join } from 'node:path';

import {
  compress,
  ImageReader,
  PAGE_SIZE,
  pageCount,
  type Answers,
  type ChangedPages,
  type ResiduePlan,
  type State,
} from '@reprise/differ';

import { createScratchDirectory } from '../fixture/directories.js';

import { keptResult } from './kept-results.js';
import { NOWHERE, positionBytes, UNKNOWN } from './positions.js';
import { joinedBytes, PageWriter, writeNearest, type Readers } from './oracle-prefix.js';

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
  readonly onProgress: (text: string) => void;
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

/** Raise it when the same files would give another number. */
const JOINED_VERSION = 2;
/** Pages coded at once: the coder works in threads of its own. */
const PAGES_AT_ONCE = 8;

/** Both oracles of one session. The full one is left out where nothing was replayed. */
export async function measureOracles(
  input: OracleInput,
): Promise<{ oracle: OracleResult; fullOracle?: OracleResult }> {
  await using scratch = await createScratchDirectory(input.directory, 'oracle');
  const prefix = join(scratch.path, 'prefix');
  await using sources = await openSources(input);
  const unexplained = unexplainedEntries(input);
  const content = join(scratch.path, 'content');
  await using pages = new PageWriter(content);
  for (const { packed } of unexplained) await pages.write(await readPacked(sources.target, packed));
  await pages.end();
  await using writer = new PageWriter(prefix);
  await writeNearest(writer, { state: input.base, readers: sources.base }, content, input);
  await writeReferences(writer, input, unexplained, sources.base);
  await writeReproduced(writer, input, sources.target);
  await writer.end();
  const positions = await positionBytes(input.plan, input.answers);
  const measure = async (written: PageWriter, withReplay: boolean): Promise<OracleResult> => {
    input.onProgress(`the oracles: zstd -19${withReplay ? ' with the replay’s content' : ''}`);
    const joined = await keptResult(
      ['zstd -19 with a prefix', JOINED_VERSION, written.digest, pages.digest],
      () => joinedBytes(prefix, content, input.signal),
    );
    input.onProgress('the oracles: page by page');
    const pageByPage = await nearestPages(input, unexplained, sources, withReplay);
    const fixed = input.fixedBytes;
    const total = Math.min(joined, pageByPage) + positions + fixed;
    return { total, joined, pageByPage, positions, fixed, pages: unexplained.length };
  };
  const oracle = await measure(writer, false);
  if (input.replay === undefined || sources.replay === undefined) return { oracle };
  await using more = new PageWriter(prefix, writer);
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
  return { oracle, fullOracle: await measure(more, true) };
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

/** The base's pages at the positions of what must be carried, and those that its sketches say it resembles. */
async function writeReferences(
  writer: PageWriter,
  { plan }: OracleInput,
  unexplained: Unexplained,
  base: Readers,
): Promise<void> {
  const { hints } = plan.entries;
  for (const { entry, packed } of unexplained) {
    for (const at of [hints[entry * 2 + 1], hints[entry * 2], packed]) {
      if (at !== undefined && at !== NOWHERE) await writer.write(await readPacked(base, at));
    }
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

/** Each page alone, against the base's page at its place, those that resemble it, and the replay's at its place. */
async function nearestPages(
  { plan, signal }: OracleInput,
  unexplained: Unexplained,
  { base, target, replay }: { base: Readers; target: Readers; replay: Readers | undefined },
  withReplay: boolean,
): Promise<number> {
  const { hints } = plan.entries;
  const sizeOf = async (i: number): Promise<number> => {
    const { entry, packed } = unexplained[i] ?? { entry: 0, packed: 0n };
    const before = unexplained[i - 1];
    const near = [
      before === undefined ? Buffer.alloc(PAGE_SIZE) : await readPacked(target, before.packed),
      await readPacked(base, packed),
    ];
    for (const hint of [hints[entry * 2 + 1], hints[entry * 2]]) {
      if (hint !== undefined && hint !== NOWHERE) near.unshift(await readPacked(base, hint));
    }
    if (withReplay && replay !== undefined) near.push(await readPacked(replay, packed));
    const page = await readPacked(target, packed);
    // The frame's header and checksums are not content.
    return Math.max(1, (await compress(page, { reference: Buffer.concat(near) })).length - 9);
  };
  let bytes = 0;
  for (let first = 0; first < unexplained.length; first += PAGES_AT_ONCE) {
    signal?.throwIfAborted();
    const group = Math.min(PAGES_AT_ONCE, unexplained.length - first);
    const sizes = await Promise.all(Array.from({ length: group }, (_, i) => sizeOf(first + i)));
    for (const size of sizes) bytes += size;
  }
  return bytes;
}
