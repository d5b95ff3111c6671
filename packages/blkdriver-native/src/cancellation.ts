import { BlkError, BlkErrorCode, settle, throwIfAborted } from './errors.js';
import { addon } from './native.js';
import type { CancellationHandle } from './native.js';

/**
 * Awaits a native call that `signal` stops. Once it is aborted the call ends soon and rejects with `ABORTED`,
 * unless it was done just before.
 */
export async function settleUnlessAborted<T>(
  signal: AbortSignal | undefined,
  call: (cancellation?: CancellationHandle) => Promise<T>,
): Promise<T> {
  throwIfAborted(signal);
  if (signal === undefined) return settle(call());
  const cancellation = addon().newCancellation();
  const cancel = (): void => {
    addon().cancel(cancellation);
  };
  signal.addEventListener('abort', cancel, { once: true });
  try {
    return await settle(call(cancellation));
  } catch (error) {
    // With the reason that the caller gave.
    if (error instanceof BlkError && error.code === BlkErrorCode.aborted) throwIfAborted(signal);
    throw error;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
}
