/** What the destination's replay knows of the source's questions. */
export interface Answers {
  /** One adaptively coded bit a question: this travels to the source. */
  readonly bits: Uint8Array;
  /** Questions answered with yes. */
  readonly known: number;
  /** Where the replayed state holds each question's content (packed), all ones where it does not. */
  readonly locations: BigUint64Array;
}

export const NOT_KNOWN = 0xffff_ffff_ffff_ffffn;

// A false match costs a repair of one leaf; one in a million exchanges may have one.
const SAFETY_BITS = 20;
// How many pages a replay may have changed for each that the session changed.
const REPLAY_FACTOR = 4;

/**
 * Width that keeps false matches rare: every question meets every page that the replay changed, of
 * which the source can only guess the number from its own.
 */
export function questionBits(questions: number, changedPages: number): number {
  const pairs = Math.max(1, questions) * Math.max(1, changedPages) * REPLAY_FACTOR;
  return Math.min(64, Math.ceil(Math.log2(pairs)) + SAFETY_BITS);
}
