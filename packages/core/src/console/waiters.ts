import { throwIfCancelled } from '../errors.js';

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Callers that wait for a condition on some changing state; whoever changes the state calls notify(). */
export class Waiters {
  readonly #looks = new Set<() => void>();
  #failure: Error | undefined;

  notify(): void {
    for (const look of [...this.#looks]) look();
  }

  /** Every wait, now and later, rejects with this. */
  fail(failure: Error): void {
    this.#failure ??= failure;
    this.notify();
  }

  /** True when the condition holds, false at the timeout. Rejects when cancelled or failed. */
  wait(condition: () => boolean, { timeoutMs, signal }: WaitOptions): Promise<boolean> {
    return new Promise<boolean>((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
        signal?.removeEventListener('abort', look);
        finish();
      };
      const look = (): void => {
        const refusal = this.#refusal(signal);
        if (refusal !== undefined)
          settle(() => {
            reject(refusal);
          });
        else if (condition())
          settle(() => {
            resolve(true);
          });
      };
      const timer = setTimeout(() => {
        settle(() => {
          resolve(condition());
        });
      }, timeoutMs);
      this.#looks.add(look);
      signal?.addEventListener('abort', look);
      look();
    });
  }

  #refusal(signal: AbortSignal | undefined): Error | undefined {
    try {
      throwIfCancelled(signal);
      return this.#failure;
    } catch (error) {
      return error as Error;
    }
  }
}
