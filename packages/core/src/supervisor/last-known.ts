/** The answer to a question that may take long: at most one is asked at a time, and meanwhile the last answer stands. */
export class LastKnown<T> {
  readonly #ask: () => Promise<T>;
  #asking: Promise<void> | undefined;
  #last: { readonly value: T; readonly atMs: number } | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  /**
   * Settles within about `patienceMs`. `ageMs` is 0 for an answer to this very question; `value` is undefined where
   * there has been none yet. Throws what the question throws.
   */
  async get(
    patienceMs: number,
  ): Promise<{ readonly value: T | undefined; readonly ageMs: number }> {
    const startedMs = performance.now();
    this.#asking ??= this.#ask()
      .then((value) => {
        this.#last = { value, atMs: performance.now() };
      })
      .finally(() => {
        this.#asking = undefined;
      });
    let timer: NodeJS.Timeout | undefined;
    const impatient = new Promise<void>((resolve) => (timer = setTimeout(resolve, patienceMs)));
    try {
      await Promise.race([this.#asking, impatient]);
    } finally {
      clearTimeout(timer);
    }
    const last = this.#last;
    const isFresh = last !== undefined && last.atMs >= startedMs;
    return {
      value: last?.value,
      ageMs: isFresh ? 0 : performance.now() - (last?.atMs ?? startedMs),
    };
  }
}
