/**
 * Levels worth stepping through: zstd's, from some 400 MB/s of pages on one thread to some 2, and context mixing at some 1.
 * That halves the bytes; it is also the quickest where a page takes longer to send than to mix: below some 0.3 Mbit/s.
 */
const LADDER = [1, 3, 5, 7, 9, 12, 15, 18, 19] as const;
const FIRST_LEVEL = 9;
/** Steps in one direction that must be due in a row: one slow frame or one full buffer says little. */
const PATIENCE = 2;
/** Waiting for this share of what a frame took to make counts as waiting. */
const NOTICED = 0.1;
/** The next step up the ladder takes about twice as long. */
const ROOM = 0.4;

/** One frame, made while its taker was busy with the one before. All in ms. */
export interface FrameTiming {
  /** How long it took to make. */
  readonly made: number;
  /** How long its taker had nothing to do because it was not ready. */
  readonly awaited: number;
  /** How long its taker was busy with the one before. */
  readonly held: number;
}

/**
 * Chooses the level frame by frame, so that the link never waits for the encoder and the encoder never idles where a
 * higher level would fit. It knows nothing of the link or the processor: the taker holds a frame for as long as the link
 * has no room for the next.
 */
export class LevelGovernor {
  #at = LADDER.indexOf(FIRST_LEVEL);
  #due = 0;

  /** For the next frame. */
  get level(): number {
    return LADDER[this.#at] ?? FIRST_LEVEL;
  }

  observe({ made, awaited, held }: FrameTiming): void {
    const step = awaited > NOTICED * made ? -1 : made < ROOM * held ? 1 : 0;
    this.#due = Math.sign(this.#due) === step ? this.#due + step : step;
    if (Math.abs(this.#due) < PATIENCE) return;
    this.#at = Math.min(LADDER.length - 1, Math.max(0, this.#at + step));
    this.#due = 0;
  }
}
