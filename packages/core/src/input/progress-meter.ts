import { setTimeout as delay } from 'node:timers/promises';

import type { GuestProgress } from '../console/guest-progress.js';

const READ_TIMEOUT_MS = 1000;
const RATE_WINDOW_MS = 3000;
const RATE_NEEDS_MS = 1500;

interface Reading {
  readonly atMs: number;
  readonly cpuMs: number;
}

/** The guest's CPU time during a replay: since the last anchor, and lately. A reading that fails or hangs counts as no progress. */
export class ProgressMeter {
  readonly #read: GuestProgress;
  readonly #now: () => number;
  #readings: Reading[] = [];
  #anchorCpuMs: number | undefined;

  constructor(read: GuestProgress, now: () => number) {
    this.#read = read;
    this.#now = now;
  }

  async look(): Promise<{ cpuSinceAnchorMs: number; cpuRate: number | undefined }> {
    const cpuMs = await this.#readBounded();
    const atMs = this.#now();
    this.#anchorCpuMs ??= cpuMs;
    this.#readings.push({ atMs, cpuMs });
    this.#readings = this.#readings.filter((reading) => reading.atMs >= atMs - RATE_WINDOW_MS);
    const first = this.#readings[0];
    const spanMs = first === undefined ? 0 : atMs - first.atMs;
    const cpuRate =
      first === undefined || spanMs < RATE_NEEDS_MS ? undefined : (cpuMs - first.cpuMs) / spanMs;
    return { cpuSinceAnchorMs: cpuMs - this.#anchorCpuMs, cpuRate };
  }

  /** From here on the next anchor's share is counted. */
  anchorPassed(): void {
    this.#anchorCpuMs = this.#readings.at(-1)?.cpuMs;
  }

  async #readBounded(): Promise<number> {
    const stop = new AbortController();
    const last = this.#readings.at(-1)?.cpuMs ?? 0;
    try {
      const late = delay(READ_TIMEOUT_MS, last, { signal: stop.signal });
      const read = this.#read().then(({ cpuMs }) => cpuMs);
      return await Promise.race([read, late]).catch(() => last);
    } finally {
      stop.abort();
    }
  }
}
