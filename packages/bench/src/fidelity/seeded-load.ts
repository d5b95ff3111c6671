import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';

/** As many burners as the host has CPUs, each working and resting for times drawn from `seed`, until disposed. */
export function seededLoad(seed: number): AsyncDisposable {
  const workers = Array.from(
    { length: availableParallelism() },
    (_, i) => new Worker(new URL('./burner.js', import.meta.url), { workerData: seed + i }),
  );
  return {
    [Symbol.asyncDispose]: async () => {
      await Promise.all(workers.map((worker) => worker.terminate()));
    },
  };
}
