import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, constants, copyFile, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { RepriseError, cancelled, throwIfCancelled } from '../errors.js';
import { isErrno, syncFile } from '../lease/durable-file.js';
import { freeBytes, insufficientSpace, requireSpace } from './space.js';

const PROGRESS_INTERVAL_MS = 250;
const MAX_STDERR_BYTES = 4096;

export interface CopyOptions {
  readonly signal?: AbortSignal | undefined;
  /** Bytes on the disk, of those that the source occupies: zeros that become holes are never "done". */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Makes the copy survive a power loss before returning; default true. */
  readonly sync?: boolean;
}

/**
 * Copies a file that may have holes into a new one: shares the blocks where the file system can (reflink); else copies, leaving out
 * what is zero, also zeros that the source has allocated, as RAM images do. The copy is
 * the owner's to write (0600), whatever the source is. No part of it stays after an error.
 *
 * `cp` does it: it skips holes with SEEK_DATA, which Node cannot, and tests for zeros in compiled code.
 *
 * Throws INSUFFICIENT_SPACE, COPY_FAILED, MISSING_PROGRAM, CANCELLED.
 */
export async function copySparse(
  from: string,
  to: string,
  options: CopyOptions = {},
): Promise<void> {
  throwIfCancelled(options.signal);
  if (await tryReflink(from, to)) {
    await chmod(to, 0o600);
    return;
  }
  const source = await stat(from);
  const total = source.blocks * 512;
  await requireSpace(dirname(to), total);
  try {
    await runCp(from, to, total, options);
    await chmod(to, 0o600);
    if (options.sync ?? true) await syncFile(to);
  } catch (error) {
    await rm(to, { force: true });
    throw error;
  }
}

async function tryReflink(from: string, to: string): Promise<boolean> {
  try {
    await copyFile(from, to, constants.COPYFILE_FICLONE_FORCE | constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (isErrno(error, 'ENOTSUP', 'EOPNOTSUPP', 'EXDEV', 'EINVAL', 'ENOSYS', 'ENOTTY')) {
      await rm(to, { force: true });
      return false;
    }
    if (isErrno(error, 'EEXIST')) throw copyFailed(from, to, 'the destination exists', error);
    throw copyFailed(from, to, error instanceof Error ? error.message : '', error);
  }
}

async function runCp(from: string, to: string, total: number, options: CopyOptions): Promise<void> {
  const child = spawn(
    'cp',
    ['--reflink=never', '--sparse=always', '--no-dereference', '--', from, to],
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: process.env['PATH'], LC_ALL: 'C' },
    },
  );
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    if (stderr.length < MAX_STDERR_BYTES) stderr += text;
  });
  const stop = () => child.kill('SIGKILL');
  options.signal?.addEventListener('abort', stop, { once: true });
  const timer =
    options.onProgress === undefined
      ? undefined
      : setInterval(() => void reportProgress(to, total, options), PROGRESS_INTERVAL_MS);
  try {
    const [status] = (await once(child, 'close')) as [number | null];
    throwIfCancelled(options.signal);
    if (status === 0) {
      options.onProgress?.(total, total);
      return;
    }
  } catch (error) {
    if (options.signal?.aborted === true) throw cancelled(options.signal);
    if (!isErrno(error, 'ENOENT')) throw copyFailed(from, to, 'cp could not be started', error);
    throw new RepriseError('MISSING_PROGRAM', 'The program "cp" is missing. Install coreutils.', {
      cause: error,
    });
  } finally {
    clearInterval(timer);
    options.signal?.removeEventListener('abort', stop);
  }
  if (/No space left|quota exceeded/i.test(stderr)) {
    throw insufficientSpace(dirname(to), total, await freeBytes(dirname(to)));
  }
  throw copyFailed(from, to, stderr.trim(), undefined);
}

async function reportProgress(to: string, total: number, options: CopyOptions): Promise<void> {
  try {
    const { blocks } = await stat(to);
    options.onProgress?.(Math.min(blocks * 512, total), total);
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error; // not created yet, or removed after a failure
  }
}

function copyFailed(from: string, to: string, why: string, cause: unknown): RepriseError {
  return new RepriseError(
    'COPY_FAILED',
    `${from} could not be copied to ${to}: ${why}. Correct this and try again.`,
    { context: { from, to }, cause },
  );
}
