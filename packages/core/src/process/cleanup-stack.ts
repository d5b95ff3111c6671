/**
 * What was acquired so far, released in reverse order when a later step fails. Once everything stands,
 * `keep()` hands the resources to their owner.
 */
export class CleanupStack {
  #steps: (() => Promise<unknown>)[] = [];

  use<T extends AsyncDisposable>(resource: T): T {
    this.defer(() => Promise.resolve(resource[Symbol.asyncDispose]()));
    return resource;
  }

  defer(step: () => Promise<unknown>): void {
    this.#steps.push(step);
  }

  keep(): void {
    this.#steps = [];
  }

  /** Runs every step, also when one fails; the first failure is thrown at the end. */
  async release(): Promise<void> {
    let failure: { error: unknown } | undefined;
    for (const step of this.#steps.splice(0).reverse()) {
      await step().catch((error: unknown) => {
        failure ??= { error };
      });
    }
    if (failure !== undefined) throw failure.error;
  }
}
