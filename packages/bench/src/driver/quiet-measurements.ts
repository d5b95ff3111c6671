import { observe } from './interference.js';

/** Processors that others may use during a measurement. More, and it is made again. */
const TOLERATED_INTERFERENCE = 0.15;
const MOST_REPETITIONS = 4;

export interface InterferenceSummary {
  /** Processors that others may use during a measurement. */
  readonly tolerated: number;
  /** Measurements that were thrown away and made again. */
  readonly repeated: number;
  /** Measurements that were kept though more was used, because repeating did not help or took too long. */
  readonly keptDisturbed: number;
}

/** Takes measurements again that somebody else's work on the machine disturbed. */
export class QuietMeasurements {
  readonly #repeatUntil: number;
  #repeated = 0;
  #keptDisturbed = 0;

  constructor(repeatForMs: number) {
    this.#repeatUntil = performance.now() + repeatForMs;
  }

  /** The least disturbed of up to five measurements. */
  async take<T>(pids: readonly number[], measure: () => Promise<T>): Promise<T> {
    let best = await observe(pids, measure);
    for (let i = 0; i < MOST_REPETITIONS; i++) {
      if (best.othersUsed <= TOLERATED_INTERFERENCE) return best.value;
      if (performance.now() > this.#repeatUntil) break;
      this.#repeated++;
      const again = await observe(pids, measure);
      if (again.othersUsed < best.othersUsed) best = again;
    }
    if (best.othersUsed > TOLERATED_INTERFERENCE) this.#keptDisturbed++;
    return best.value;
  }

  summary(): InterferenceSummary {
    return {
      tolerated: TOLERATED_INTERFERENCE,
      repeated: this.#repeated,
      keptDisturbed: this.#keptDisturbed,
    };
  }
}
