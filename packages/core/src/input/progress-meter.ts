import { setTimeout as delay } from 'node:timers/promises';

/** What a hypervisor can say about a guest's doings so far. All values only grow. */
export interface Activity {
  /** CPU time that its CPUs used. */
  readonly cpuMs: number;
  /** Time that they wanted to run and waited for a CPU of the host. */
  readonly starvedMs?: number;
  /** Requests that its disk has answered. */
  readonly diskRequests?: number;
}

const READ_TIMEOUT_MS = 1000;
const RATE_WINDOW_MS = 3000;
const RATE_NEEDS_MS = 1500;
/** Below this share of the time since the last reading a guest idles; what is less than IDLE_MS is a timer. */
const IDLE_SHARE = 0.25;
const IDLE_MS = 2;

interface Reading extends Activity {
  readonly atMs: number;
}

/** What the meter makes of it; see PacingEvidence. */
export interface Progress {
  readonly cpuSinceAnchorMs: number;
  readonly cpuRate: number | undefined;
  readonly cpuIdleMs: number | undefined;
  readonly diskQuietMs: number | undefined;
  /** Since the last input, for how long the guest waited for the host. */
  readonly starvedSinceInputMs: number;
}

/**
 * The guest's doings during a replay: since the last anchor, since the last input, and lately. A reading that fails or
 * hangs counts as no progress, and as no sign of rest.
 */
export class ProgressMeter {
  readonly #read: () => Promise<Activity>;
  readonly #now: () => number;
  #readings: Reading[] = [];
  #anchorCpuMs: number | undefined;
  #inputStarvedMs = 0;
  #cpuBusyAtMs: number;
  #diskBusyAtMs: number;

  constructor(read: () => Promise<Activity>, now: () => number) {
    this.#read = read;
    this.#now = now;
    this.#cpuBusyAtMs = this.#diskBusyAtMs = now();
  }

  async look(): Promise<Progress> {
    const activity = await this.#readBounded();
    const atMs = this.#now();
    const last = this.#readings.at(-1);
    const latest: Reading = { ...(activity ?? last ?? { cpuMs: 0 }), atMs };
    this.#anchorCpuMs ??= latest.cpuMs;
    this.#noteBusy(last, activity === undefined ? undefined : latest);
    this.#readings.push(latest);
    this.#readings = this.#readings.filter((reading) => reading.atMs >= atMs - RATE_WINDOW_MS);
    return {
      cpuSinceAnchorMs: latest.cpuMs - this.#anchorCpuMs,
      cpuRate: this.#rate(latest),
      // Without knowing who waits for a CPU, an idle guest cannot be told from a starved one.
      cpuIdleMs: latest.starvedMs === undefined ? undefined : atMs - this.#cpuBusyAtMs,
      diskQuietMs: latest.diskRequests === undefined ? undefined : atMs - this.#diskBusyAtMs,
      starvedSinceInputMs: Math.max(0, (latest.starvedMs ?? 0) - this.#inputStarvedMs),
    };
  }

  /** From here on the next anchor's share is counted. */
  anchorPassed(): void {
    this.#anchorCpuMs = this.#readings.at(-1)?.cpuMs;
  }

  /** An input went in: the guest has something to do, also where it has not begun yet. */
  inputPassed(): void {
    this.#cpuBusyAtMs = this.#diskBusyAtMs = this.#now();
    this.#inputStarvedMs = this.#readings.at(-1)?.starvedMs ?? 0;
  }

  #noteBusy(last: Reading | undefined, latest: Reading | undefined): void {
    if (last === undefined || latest === undefined) {
      this.#cpuBusyAtMs = this.#diskBusyAtMs = this.#now();
      return;
    }
    const starvedMs = (latest.starvedMs ?? 0) - (last.starvedMs ?? 0);
    const wantedMs = latest.cpuMs - last.cpuMs + starvedMs;
    const idle = wantedMs <= Math.max(IDLE_MS, IDLE_SHARE * (latest.atMs - last.atMs));
    if (!idle) this.#cpuBusyAtMs = latest.atMs;
    if (latest.diskRequests !== last.diskRequests) this.#diskBusyAtMs = latest.atMs;
  }

  #rate(latest: Reading): number | undefined {
    const first = this.#readings[0];
    const spanMs = first === undefined ? 0 : latest.atMs - first.atMs;
    if (first === undefined || spanMs < RATE_NEEDS_MS) return undefined;
    return (latest.cpuMs - first.cpuMs) / spanMs;
  }

  async #readBounded(): Promise<Activity | undefined> {
    const stop = new AbortController();
    try {
      const late = delay(READ_TIMEOUT_MS, undefined, { signal: stop.signal });
      return await Promise.race([this.#read(), late]).catch(() => undefined);
    } finally {
      stop.abort();
    }
  }
}
