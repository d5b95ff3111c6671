/** CPU time that the guest has used, and, where it can be told, waited for a CPU of the host; ms, since any fixed instant. */
export type GuestProgress = () => Promise<{
  readonly cpuMs: number;
  readonly starvedMs?: number;
}>;

const SAMPLE_INTERVAL_MS = 250;

/**
 * Keeps a recent reading of the guest's CPU time at hand, counted from the sampler's start, so that recording an
 * anchor never waits for one.
 */
export class ProgressSampler {
  readonly #read: GuestProgress;
  readonly #timer: NodeJS.Timeout;
  #first: number | undefined;
  #latest = 0;
  #reading = false;

  constructor(read: GuestProgress) {
    this.#read = read;
    this.#timer = setInterval(() => void this.sample(), SAMPLE_INTERVAL_MS);
    this.#timer.unref();
    void this.sample();
  }

  /** CPU ms since the sampler started, at most about 250 ms old. */
  get cpuMs(): number {
    return this.#latest;
  }

  /** Reads now; a reading that fails leaves the last one in place: an anchor without progress is still an anchor. */
  async sample(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    try {
      const { cpuMs } = await this.#read();
      this.#first ??= cpuMs;
      this.#latest = Math.max(this.#latest, cpuMs - this.#first);
    } catch {
      return;
    } finally {
      this.#reading = false;
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
