import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** Keeps every CPU of the host busy until it is disposed: a replay must not notice. */
export function keepBusy(): AsyncDisposable {
  const workers = Array.from(
    { length: availableParallelism() },
    () => new Worker('for (;;);', { eval: true }),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
