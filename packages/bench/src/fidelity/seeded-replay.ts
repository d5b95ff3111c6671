import {
  ByEvidence,
  type PacingDecision,
  type PacingEvidence,
  type PacingStep,
  type PacingStrategy,
} from '@reprise/core';

import { SeededRandom } from '../session/index.js';

/** An input comes up to this much later than it would. */
const LATER_MS = 10;
/** Spreads the inputs of one run over the generator's seeds. */
const SPREAD = 0x9e3779b1;

/** The default pacing with each input held back by a few milliseconds, drawn from the run's seed. */
export class SeededEvidence implements PacingStrategy {
  readonly name: string;
  readonly #evidence = new ByEvidence();
  readonly #seed: number;

  constructor(seed: number) {
    this.name = this.#evidence.name;
    this.#seed = seed;
  }

  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision {
    const random = new SeededRandom(this.#seed ^ Math.imul(step.index, SPREAD));
    const sinceInputMs = Math.max(0, evidence.sinceInputMs - LATER_MS * random.next());
    return this.#evidence.decide(step, { ...evidence, sinceInputMs });
  }
}
