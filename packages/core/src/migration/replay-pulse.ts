import type { Content } from '../protocol/index.js';

/** Of a CPU: a guest that uses less, and waits for less, does nothing but wait. */
const IDLE_SHARE = 0.1;

/** For how long a replay at the destination has been without a sign of life: no input went in, and its guest neither ran nor waited for the host. */
export class ReplayPulse {
  readonly #now: () => number;
  #events = 0;
  #busyMs = 0;
  #toldMs: number;
  #aliveMs: number;

  /** @param now of a monotonic clock, in ms */
  constructor(now: () => number) {
    this.#now = now;
    this.#toldMs = this.#aliveMs = now();
  }

  get silentMs(): number {
    return this.#now() - this.#aliveMs;
  }

  told({ events, cpuMs = 0, starvedMs = 0 }: Content<'replayProgress'>): void {
    const now = this.#now();
    const busyMs = cpuMs + starvedMs;
    const works = busyMs - this.#busyMs > IDLE_SHARE * (now - this.#toldMs);
    if (events > this.#events || works) this.#aliveMs = now;
    this.#events = events;
    this.#busyMs = busyMs;
    this.#toldMs = now;
  }
}
