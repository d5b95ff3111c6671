import type { FrontPositions } from './shipping-front.js';

/** Where both fronts stood at one time of a race. */
export interface RaceSample extends FrontPositions {
  /** Since the input log went out. */
  readonly ms: number;
  /** Of the residue, shipped ahead. */
  readonly bytes: number;
  /** How much of the session was replayed, 0 to 1. */
  readonly done: number;
}

export const MAX_SAMPLES = 256;
const FIRST_INTERVAL_MS = 250;

/** Keeps the course of a race in bounded memory: when it is full, every other sample goes, and they come half as often. */
export class RaceSamples {
  #samples: RaceSample[] = [];
  #everyMs = FIRST_INTERVAL_MS;

  get samples(): readonly RaceSample[] {
    return this.#samples;
  }

  /** To be offered often; it takes what it needs. */
  offer(sample: RaceSample, options: { readonly last?: boolean } = {}): void {
    const previous = this.#samples.at(-1);
    if (options.last !== true && previous !== undefined && sample.ms - previous.ms < this.#everyMs)
      return;
    if (this.#samples.length === MAX_SAMPLES) {
      this.#samples = this.#samples.filter((_, i) => i % 2 === 0);
      this.#everyMs *= 2;
    }
    this.#samples.push(sample);
  }
}
