/** What `step` settles to, or the signal's reason as soon as it is aborted; `step` itself goes on then. */
export async function unlessAborted<T>(
  step: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await step;
  const done = new AbortController();
  const aborted = new Promise<never>((_, reject) => {
    const give = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) give();
    else signal.addEventListener('abort', give, { signal: done.signal });
  });
  try {
    return await Promise.race([step, aborted]);
  } finally {
    done.abort();
  }
}
