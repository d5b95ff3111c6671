import type { Analysis } from './analysis.js';
import { stopReplayBecause } from './race-model.js';
import { replaySeconds } from './session-log.js';

export interface ReplayVigilOptions {
  readonly optimize: 'bytes' | 'time';
  readonly bytesPerSecond: number | undefined;
  readonly analysis: Pick<Analysis, 'plan' | 'input'>;
  /** What has gone ahead so far. */
  readonly shippedBytes: () => number;
  /** Called once at most. */
  readonly onStop: (because: string) => void;
}

const LOOK_MS = 500;

/** Watches a replay at the other host, and says when it is not worth waiting for any more. */
export class ReplayVigil {
  readonly #options: ReplayVigilOptions;
  readonly #startedMs = performance.now();
  readonly #timer: NodeJS.Timeout;
  #heardMs = performance.now();
  #events = 0;
  #done = 0;

  constructor(options: ReplayVigilOptions) {
    this.#options = options;
    this.#timer = setInterval(() => {
      this.#look();
    }, LOOK_MS);
  }

  progress(events: number, total: number): void {
    if (events > this.#events) this.#heardMs = performance.now();
    this.#events = events;
    this.#done = total === 0 ? 1 : events / total;
  }

  /** Nothing is decided after it. Safe to call twice. */
  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { optimize, analysis, onStop } = this.#options;
    const { plan, input } = analysis;
    const now = performance.now();
    const because = stopReplayBecause({
      optimize,
      savedBytes: plan.ship.bytes - plan.replay.bytes,
      // Not known apart from what a replay would save: so the wait is never underrated.
      aheadBytes: 0,
      bytesPerSecond: this.#rate(now),
      elapsedSeconds: (now - this.#startedMs) / 1000,
      plannedSeconds: 'log' in input ? replaySeconds(input.log) : 0,
      done: this.#done,
      silentSeconds: (now - this.#heardMs) / 1000,
    });
    if (because === undefined) return;
    this.end();
    onStop(because);
  }

  /** As it was told; else not less than what went out lately. */
  #rate(now: number): number | undefined {
    const { bytesPerSecond, shippedBytes } = this.#options;
    if (bytesPerSecond !== undefined) return bytesPerSecond;
    const bytes = shippedBytes();
    return bytes === 0 ? undefined : (1000 * bytes) / (now - this.#startedMs);
  }
}
