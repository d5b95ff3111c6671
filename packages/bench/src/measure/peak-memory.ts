import { readFileSync } from 'node:fs';

const SAMPLE_EVERY_MS = 20;

/** Samples the anonymous memory of this process from now until it is stopped. */
export class PeakMemory {
  #peak = anonymousMemory();
  readonly #timer = setInterval(() => {
    this.#peak = Math.max(this.#peak, anonymousMemory());
  }, SAMPLE_EVERY_MS);

  /** The highest sample, in bytes. */
  stop(): number {
    clearInterval(this.#timer);
    this.#peak = Math.max(this.#peak, anonymousMemory());
    return this.#peak;
  }
}

function anonymousMemory(): number {
  const status = readFileSync('/proc/self/status', 'utf8');
  return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
}
