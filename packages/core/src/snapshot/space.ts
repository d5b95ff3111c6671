import { lstat, opendir, statfs } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import { isErrno } from '../lease/durable-file.js';

/** What is left for records, leaves and the file system's own book-keeping after a copy that "just fits". */
const RESERVE_BYTES = 32 * 1024 * 1024;

/** Bytes that this user may still write in the file system of `path`. */
export async function freeBytes(path: string): Promise<number> {
  const { bavail, bsize } = await statfs(path);
  return bavail * bsize;
}

/** Throws INSUFFICIENT_SPACE, with the numbers, unless `neededBytes` and a reserve fit. */
export async function requireSpace(directory: string, neededBytes: number): Promise<void> {
  const free = await freeBytes(directory);
  if (free < neededBytes + RESERVE_BYTES) throw insufficientSpace(directory, neededBytes, free);
}

export function insufficientSpace(
  directory: string,
  neededBytes: number,
  free: number,
  cause?: unknown,
): RepriseError {
  return new RepriseError(
    'INSUFFICIENT_SPACE',
    `${directory} needs ${inMiB(neededBytes + RESERVE_BYTES)} and has ${inMiB(free)} left. Make room, or set REPRISE_HOME to a larger file system.`,
    { context: { directory, neededBytes, freeBytes: free }, cause },
  );
}

function inMiB(bytes: number): string {
  return `${Math.ceil(bytes / (1024 * 1024))} MiB`;
}

/** Bytes that a file or a whole directory occupies on the disk; 0 if it is not there. */
export async function occupiedBytes(path: string): Promise<number> {
  try {
    const entry = await lstat(path);
    let total = entry.blocks * 512;
    if (!entry.isDirectory()) return total;
    for await (const child of await opendir(path)) {
      total += await occupiedBytes(join(path, child.name));
    }
    return total;
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return 0; // removed while we counted
    throw error;
  }
}
