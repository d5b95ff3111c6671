import { DifferError } from './errors.js';
import { pageCount, type State } from './image.js';
import type { FingerprintKey } from './native.js';
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
  const { questions, replay } = o;
  const { count, selected } = await pool.kernel('readQuestions', key, questions);
  const isAboutPlaces = selected.length === 0;
  const locations = new BigUint64Array(count).fill(NOT_KNOWN);
  const fingerprints = new BigUint64Array(count);
  const take = (matches: BigUint64Array): void => {
    for (let i = 0; i + 2 < matches.length; i += 3) {
      const question = Number(matches[i]);
      if (locations[question] !== NOT_KNOWN) continue;
      locations[question] = matches[i + 1] ?? NOT_KNOWN;
      fingerprints[question] = matches[i + 2] ?? 0n;
    }
  };
  if (isAboutPlaces) take(await pool.kernel('matchAtPlaces', key, questions, replay));
  else for (const matches of await lookEverywhere(pool, key, o)) take(matches);
  const known = Uint8Array.from(locations, (location) => (location === NOT_KNOWN ? 0 : 1));
  const sample = isAboutPlaces ? await sampleOf(pool, key, o, locations) : new BigUint64Array(0);
  const found = fingerprints.filter((_, i) => known[i] === 1);
  const bits = await pool.kernel('encodeAnswers', known, found, sample);
  const all = isAboutPlaces ? locations : joinRounds(o.earlier?.locations, locations, selected);
  return { bits, known: all.filter((at) => at !== NOT_KNOWN).length, locations: all };
}

async function lookEverywhere(
  pool: WorkerPool,
  key: FingerprintKey,
  o: AnswerOptions,
): Promise<BigUint64Array[]> {
  const out: BigUint64Array[] = [];
  for (const space of ['ram', 'disk'] as const) {
    const image = o.replay[space];
    const pages = expandRuns(space, o.changed[space], pageCount(image));
    const parts = await pool.ranges(
      pages.length,
      PAGES_PER_BATCH,
      (first, size) =>
        pool.kernel('matchAnywhere', key, o.questions, image, pages.slice(first, first + size)),
      { signal: o.signal },
    );
    out.push(...parts);
  }
  return out;
}

/** A sample of what the replay holds beyond the answers. */
async function sampleOf(
  pool: WorkerPool,
  key: FingerprintKey,
  { replay, changed }: AnswerOptions,
  locations: BigUint64Array,
): Promise<BigUint64Array> {
  const told = new Set(locations);
  const others = (['ram', 'disk'] as const).flatMap((space) =>
    Array.from(expandRuns(space, changed[space], pageCount(replay[space]))),
  );
  const pages = BigUint64Array.from(others.filter((page) => !told.has(page)));
  return await pool.kernel('sampleFingerprints', key, replay, pages);
}

/** The second round is about some of the questions that the first left open, in order. */
function joinRounds(
  first: BigUint64Array | undefined,
  second: BigUint64Array,
  selected: Uint8Array,
): BigUint64Array {
  const open = first?.filter((at) => at === NOT_KNOWN).length;
  if (first === undefined || open !== selected.length) {
    throw new DifferError(
      'QUESTIONS_MISMATCH',
      'The second round of questions does not fit what the first left open. Start the migration again.',
      { context: { open, selected: selected.length } },
    );
  }
  let nextOpen = 0;
  let nextAsked = 0;
  return first.map((at) => {
    if (at !== NOT_KNOWN || selected[nextOpen++] !== 1) return at;
    return second[nextAsked++] ?? NOT_KNOWN;
  });
}
