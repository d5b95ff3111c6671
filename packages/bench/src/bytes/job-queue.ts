/** Work that needs some memory. */
export interface Job {
  readonly needsMiB: number;
  run(): Promise<void>;
}

/**
 * Runs jobs in their order, at most `lanes` at once and together within `memoryMiB`; one that needs more than all of it runs alone.
 * After a failure no more are started; those that run are waited for, then it throws the first failure.
 */
export async function runJobs(
  jobs: readonly Job[],
  limits: { readonly lanes: number; readonly memoryMiB: number },
): Promise<void> {
  const running = new Set<Promise<void>>();
  const failures: unknown[] = [];
  let usedMiB = 0;
  for (const job of jobs) {
    const fits = () => running.size < limits.lanes && usedMiB + job.needsMiB <= limits.memoryMiB;
    while (running.size > 0 && !fits()) await Promise.race(running);
    if (failures.length > 0) break;
    usedMiB += job.needsMiB;
    const done = job
      .run()
      .catch((error: unknown) => {
        failures.push(error);
      })
      .finally(() => {
        usedMiB -= job.needsMiB;
        running.delete(done);
      });
    running.add(done);
  }
  await Promise.all(running);
  if (failures.length > 0) throw failures[0];
}
