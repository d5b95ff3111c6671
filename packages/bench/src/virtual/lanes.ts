/** Works through a queue, `lanes` at a time. After a failure nothing new begins; it is thrown when all have ended. */
export async function inLanes<T>(
  queue: readonly T[],
  lanes: number,
  work: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = [...queue];
  let failed = false;
  const lane = async () => {
    for (let one = waiting.shift(); one !== undefined && !failed; one = waiting.shift()) {
      try {
        await work(one);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane));
  const first = ended.find((end) => end.status === 'rejected');
  if (first !== undefined) throw first.reason;
}
