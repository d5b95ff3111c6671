/** Names the stages of one piece of work and adds up how long each took, in seconds. */
export class Stopwatch<Stage extends string> {
  readonly #seconds = new Map<Stage, number>();
  readonly #startedMs = performance.now();

  async time<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now();
    try {
      return await work();
    } finally {
      const before = this.#seconds.get(stage) ?? 0;
      this.#seconds.set(stage, before + (performance.now() - startedMs) / 1000);
    }
  }

  of(stage: Stage): number {
    return round(this.#seconds.get(stage) ?? 0);
  }

  get total(): number {
    return round((performance.now() - this.#startedMs) / 1000);
  }
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
