import { pageCount, type State } from './image.js';
import type { FingerprintKey, ReadQuestions } from './native.js';
import { PAGES_PER_BATCH, type ChangedPages, type OperationOptions } from './operation.js';
import { expandRuns } from './page-runs.js';
import type { WorkerPool } from './worker-pool.js';

/** What the destination's replay knows of the source's questions. */
export interface Answers {
  /** What travels to the source: one adaptively coded bit a question, checks, a sample. */
  readonly bits: Uint8Array;
  /** Questions answered with yes, in all rounds. */
  readonly known: number;
  /** Where the replayed state holds the content of each page asked about (packed), all ones where it does not. */
  readonly locations: BigUint64Array;
}

export const NOT_KNOWN = 0xffff_ffff_ffff_ffffn;

/**
 * Width of a question about a place: it meets one page only, and one in 4096 that matches by chance takes the 15
 * others of its check with it. Wider costs more than that.
 */
export const PLACE_BITS = 12;
/** kSampleSize in native/core/questions.h. */
const SAMPLE_SIZE = 64;
// One in four exchanges may have a match by chance that a check has to catch.
const SPARE_BITS = 2;
// How many pages a replay may have changed for each that the session changed.
const REPLAY_FACTOR = 4;

/** Width of a question about anywhere: it meets every page that the replay changed. */
export function anywhereBits(questions: number, changedPages: number): number {
  const pairs = Math.max(1, questions) * Math.max(1, changedPages) * REPLAY_FACTOR;
  return Math.min(64, Math.ceil(Math.log2(pairs)) + SPARE_BITS);
}

export interface AnswerOptions extends OperationOptions {
  questions: Uint8Array;
  base: State;
  replay: State;
  /** What the replay changed. */
  changed: ChangedPages;
  /** What was answered in the first round, in the second. */
  earlier?: Answers;
}

/** See {@link Differ.answerQuestions}. */
export async function answerQuestions(
  pool: WorkerPool,
  key: FingerprintKey,
  o: AnswerOptions,
): Promise<Answers> {
  const { replay, earlier } = o;
  const open = earlier?.locations.filter((at) => at === NOT_KNOWN).length;
  const limits = [
    pageCount(replay.ram),
    pageCount(replay.disk),
    ...(open === undefined ? [] : [open]),
  ];
  const questions = await pool.kernel(
    'readQuestions',
    key,
    o.questions,
    BigUint64Array.from(limits, BigInt),
  );
  const locations = new BigUint64Array(questions.cuts.length).fill(NOT_KNOWN);
  const fingerprints = new BigUint64Array(locations.length);
  const take = (matches: BigUint64Array, firstQuestion = 0): void => {
    for (let i = 0; i + 2 < matches.length; i += 3) {
      const question = Number(matches[i]) + firstQuestion;
      if (locations[question] !== NOT_KNOWN) continue;
      locations[question] = matches[i + 1] ?? NOT_KNOWN;
      fingerprints[question] = matches[i + 2] ?? 0n;
    }
  };
  if (earlier === undefined) await lookAtPlaces(pool, key, o, questions, take);
  else await lookEverywhere(pool, key, o, questions, take);
  const known = Uint8Array.from(locations, (location) => (location === NOT_KNOWN ? 0 : 1));
  const sample =
    earlier === undefined ? await sampleOf(pool, key, o, locations) : new BigUint64Array(0);
  const found = fingerprints.filter((_, i) => known[i] === 1);
  const bits = await pool.kernel('encodeAnswers', known, found, sample);
  const all =
    earlier === undefined
      ? locations
      : joinRounds(earlier.locations, locations, questions.selected);
  return { bits, known: all.filter((at) => at !== NOT_KNOWN).length, locations: all };
}

/** Takes matches `[question, location, fingerprint, …]`, the questions numbered from `firstQuestion`. */
type Take = (matches: BigUint64Array, firstQuestion?: number) => void;

async function lookAtPlaces(
  pool: WorkerPool,
  key: FingerprintKey,
  { replay, signal }: AnswerOptions,
  { places, cuts, mask }: ReadQuestions,
  take: Take,
): Promise<void> {
  await pool.ranges(
    places.length,
    PAGES_PER_BATCH,
    async (first, size) => {
      const [some, theirs] = [places, cuts].map((words) => words.slice(first, first + size));
      if (some === undefined || theirs === undefined) return;
      take(await pool.kernel('matchAtPlaces', key, some, theirs, mask, replay), first);
    },
    { signal },
  );
}

async function lookEverywhere(
  pool: WorkerPool,
  key: FingerprintKey,
  { replay, changed, signal }: AnswerOptions,
  { cuts, mask }: ReadQuestions,
  take: Take,
): Promise<void> {
  for (const space of ['ram', 'disk'] as const) {
    const image = replay[space];
    const pages = expandRuns(space, changed[space], pageCount(image));
    const parts = await pool.ranges(
      pages.length,
      PAGES_PER_BATCH,
      (first, size) =>
        pool.kernel('matchAnywhere', key, cuts, mask, image, pages.slice(first, first + size)),
      { signal },
    );
    for (const matches of parts) take(matches);
  }
}

/**
 * A sample of what the replay holds beyond the answers: the smallest fingerprints of each batch, then of all, so that
 * memory does not grow with what the replay changed.
 */
async function sampleOf(
  pool: WorkerPool,
  key: FingerprintKey,
  { replay, changed, signal }: AnswerOptions,
  locations: BigUint64Array,
): Promise<BigUint64Array> {
  const told = locations.filter((at) => at !== NOT_KNOWN).sort();
  let smallest = new BigUint64Array(0);
  for (const space of ['ram', 'disk'] as const) {
    const pages = expandRuns(space, changed[space], pageCount(replay[space]));
    await pool.ranges(
      pages.length,
      PAGES_PER_BATCH,
      async (first, size) => {
        const others = withoutAny(pages.subarray(first, first + size), told);
        const drawn = await pool.kernel('sampleFingerprints', key, replay, others);
        smallest = mergeSmallest(smallest, drawn);
      },
      { signal },
    );
  }
  return smallest;
}

/** The words that `excluded` (ascending) does not hold. */
function withoutAny(words: BigUint64Array, excluded: BigUint64Array): BigUint64Array {
  return words.filter((word) => {
    let low = 0;
    for (let high = excluded.length; low < high;) {
      const middle = (low + high) >> 1;
      if ((excluded[middle] ?? 0n) < word) low = middle + 1;
      else high = middle;
    }
    return excluded[low] !== word;
  });
}

function mergeSmallest(a: BigUint64Array, b: BigUint64Array): BigUint64Array<ArrayBuffer> {
  const distinct = BigUint64Array.from(new Set([...a, ...b]));
  return distinct.sort().slice(0, SAMPLE_SIZE);
}

/** The second round is about some of the questions that the first left open, in order. */
function joinRounds(
  first: BigUint64Array,
  second: BigUint64Array,
  selected: Uint8Array,
): BigUint64Array {
  let nextOpen = 0;
  let nextAsked = 0;
  return first.map((at) => {
    if (at !== NOT_KNOWN || selected[nextOpen++] !== 1) return at;
    return second[nextAsked++] ?? NOT_KNOWN;
  });
}
