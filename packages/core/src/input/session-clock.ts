/**
 * Milliseconds since the session started, standing still while the VM is paused, so that a replay does not wait
 * through the pauses.
 */
export class SessionClock {
  readonly #source: () => number;
  #elapsedMs = 0;
  #runningSince: number | undefined;

  /** Starts running. `source` is any monotonic clock in ms. */
  constructor(source: () => number = () => performance.now()) {
    this.#source = source;
    this.#runningSince = source();
  }

  get running(): boolean {
    return this.#runningSince !== undefined;
  }

  now(): number {
    return (
      this.#elapsedMs + (this.#runningSince === undefined ? 0 : this.#source() - this.#runningSince)
    );
  }

  pause(): void {
    this.#elapsedMs = this.now();
    this.#runningSince = undefined;
  }

  /** Stands still at a time that another clock has told exactly. */
  settle(ms: number): void {
    this.#elapsedMs = ms;
    this.#runningSince = undefined;
  }

  resume(): void {
    this.#runningSince ??= this.#source();
  }
}
