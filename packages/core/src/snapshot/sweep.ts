import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { isAbandonedTemporary, isErrno } from '../lease/durable-file.js';

/** Removes what processes that are gone left half-made or half-removed. */
export async function sweepTemporaries(directories: readonly string[]): Promise<void> {
  for (const directory of directories) {
    for (const name of await listDirectory(directory)) {
      if (isAbandonedTemporary(name)) {
        await rm(join(directory, name), { recursive: true, force: true });
      }
    }
  }
}

export async function listDirectory(directory: string): Promise<string[]> {
  return readdir(directory).catch((error: unknown) => {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  });
}
