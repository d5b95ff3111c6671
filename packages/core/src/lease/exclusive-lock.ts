import { randomBytes } from 'node:crypto';
import { link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { RepriseError, cancelled, throwIfCancelled } from '../errors.js';
import { isErrno } from './durable-file.js';
import { identifySelf, isAlive, processIdentitySchema } from './process-identity.js';

/**
 * Mutual exclusion between processes of one host, without a daemon and without flock (Node has none).
 *
 * The lock is a series of files `.<name>.<n>`. The holder is the owner of the highest n; to release, it renames its file
 * to `.<name>.<n>.free` (which needs no space on the disk). To take the lock, a process that finds the highest one free, or its owner
 * gone, links n+1 into place, which only one contender can do, and then looks again: a slow contender, whose number was
 * overtaken or used up meanwhile, steps back. The highest file is never removed, only overtaken, so no number is held
 * twice. That is why a stale lock can be taken over without the usual race between "it is dead" and "I remove it".
 */
export class ExclusiveLock implements AsyncDisposable {
  readonly #path: string;
  #released = false;

  private constructor(path: string) {
    this.#path = path;
  }

  /**
   * Waits for the lock. Throws VM_BUSY when another live process still holds it after `timeoutMs`
   * (10 s unless told), CANCELLED when the signal fires. Not re-entrant.
   */
  static async acquire(
    directory: string,
    name: string,
    options: { timeoutMs?: number; signal?: AbortSignal | undefined } = {},
  ): Promise<ExclusiveLock> {
    const deadline = performance.now() + (options.timeoutMs ?? 10_000);
    for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 200)) {
      throwIfCancelled(options.signal);
      const attempt = await tryTake(directory, name);
      if (attempt.path !== undefined) return new ExclusiveLock(attempt.path);
      if (performance.now() >= deadline) throw busy(directory, name, attempt.heldBy);
      await delay(pauseMs, undefined, { signal: options.signal }).catch((error: unknown) => {
        if (options.signal?.aborted === true) throw cancelled(options.signal);
        throw error;
      });
    }
  }

  /** Runs `work` under the lock. */
  static async during<T>(
    directory: string,
    name: string,
    options: { timeoutMs?: number; signal?: AbortSignal | undefined },
    work: () => Promise<T>,
  ): Promise<T> {
    const lock = await ExclusiveLock.acquire(directory, name, options);
    try {
      return await work();
    } finally {
      await lock.release();
    }
  }

  /** Takes the lock if nobody has it; undefined if somebody does. */
  static async tryAcquire(directory: string, name: string): Promise<ExclusiveLock | undefined> {
    const { path } = await tryTake(directory, name);
    return path === undefined ? undefined : new ExclusiveLock(path);
  }

  /** Gives the lock back. Idempotent. */
  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    await rename(this.#path, `${this.#path}.free`).catch((error: unknown) => {
      if (!isErrno(error, 'ENOENT')) throw error; // the locked directory was removed under the lock
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release();
  }
}

interface Attempt {
  readonly path?: string;
  readonly heldBy?: number;
}

async function tryTake(directory: string, name: string): Promise<Attempt> {
  const top = highest(await listGenerations(directory, name));
  if (top.number > 0 && !top.free) {
    const heldBy = await liveOwner(join(directory, `.${name}.${top.number}`));
    if (heldBy !== undefined) return { heldBy };
  }
  const number = top.number + 1;
  const path = join(directory, `.${name}.${number}`);
  const temporary = join(directory, `.${name}.new-${randomBytes(6).toString('hex')}`);
  await writeFile(temporary, JSON.stringify(identifySelf()), { mode: 0o600 });
  try {
    await link(temporary, path);
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return {};
    throw error;
  } finally {
    await rm(temporary, { force: true });
  }
  const now = await listGenerations(directory, name);
  const nowTop = highest(now);
  if (nowTop.number !== number || nowTop.free) {
    await rm(path, { force: true });
    return {};
  }
  for (const overtaken of now) {
    if (overtaken.number < number) await rm(join(directory, overtaken.entry), { force: true });
  }
  return { path };
}

interface Generation {
  readonly entry: string;
  readonly number: number;
  readonly free: boolean;
}

async function listGenerations(directory: string, name: string): Promise<Generation[]> {
  const prefix = `.${name}.`;
  const found: Generation[] = [];
  for (const entry of await readdir(directory)) {
    const match = entry.startsWith(prefix)
      ? /^(\d{1,15})(\.free)?$/.exec(entry.slice(prefix.length))
      : null;
    if (match !== null) {
      found.push({ entry, number: Number(match[1]), free: match[2] !== undefined });
    }
  }
  return found;
}

/** The highest number; `free` if its holder gave it back, even if a slow contender linked it once more. */
function highest(generations: readonly Generation[]): { number: number; free: boolean } {
  const number = Math.max(0, ...generations.map((generation) => generation.number));
  return { number, free: generations.some((g) => g.number === number && g.free) };
}

/** The pid of the live process that owns this lock file, if there is one. */
async function liveOwner(path: string): Promise<number | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined; // overtaken; the caller's link will find that out
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined; // a power loss emptied it: whoever wrote it is gone
  }
  const owner = processIdentitySchema.safeParse(value);
  if (!owner.success || !isAlive(owner.data)) return undefined;
  return owner.data.pid;
}

function busy(directory: string, name: string, pid: number | undefined): RepriseError {
  return new RepriseError(
    'VM_BUSY',
    `Another reprise process${pid === undefined ? '' : ` (${pid})`} is working on this VM. Wait for it to end, or end it, and try again.`,
    { context: { directory, lock: name, pid } },
  );
}
