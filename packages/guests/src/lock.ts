import { spawn } from 'node:child_process';
import { signalGroup, throwIfCancelled } from './command.js';
import { GuestError } from './errors.js';

/** How long to wait in silence before saying that somebody else holds the lock. */
const QUIET_WAIT_MS = 1000;

export interface FileLock extends AsyncDisposable {
  release(): Promise<void>;
}

/**
 * Waits for an exclusive advisory lock (flock(2)) on `path` and holds it until released.
 *
 * Node has no flock, so flock(1) holds it for us: it keeps the lock while a `cat` waits for the end of our
 * pipe. The kernel closes the pipe with this process, however it ends, so a lock is never left behind.
 */
export async function acquireLock(
  path: string,
  o: { signal?: AbortSignal | undefined; onWait?: () => void },
): Promise<FileLock> {
  throwIfCancelled(o.signal);
  const holder = spawn('flock', ['--exclusive', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  const ended = new Promise<void>((resolve) => {
    holder.once('close', () => {
      resolve();
    });
  });
  const onAbort = (): void => {
    signalGroup(holder.pid, 'SIGTERM');
  };
  o.signal?.addEventListener('abort', onAbort, { once: true });
  const waiting = setTimeout(() => o.onWait?.(), QUIET_WAIT_MS);
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', reject);
      holder.stdout.once('data', () => {
        resolve();
      });
      void ended.then(() => {
        reject(new Error(`flock ended without taking the lock on ${path}`));
      });
    });
  } catch (error) {
    throwIfCancelled(o.signal);
    throw new GuestError(
      'GUEST_PROGRAM_MISSING',
      `The lock on ${path} could not be taken. Check that the program flock (package util-linux) is installed and that the directory is writable.`,
      { path },
      error,
    );
  } finally {
    clearTimeout(waiting);
    o.signal?.removeEventListener('abort', onAbort);
  }
  const release = async (): Promise<void> => {
    holder.stdin.end();
    await ended;
  };
  return { release, [Symbol.asyncDispose]: release };
}
