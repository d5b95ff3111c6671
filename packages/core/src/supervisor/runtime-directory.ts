import { createHash } from 'node:crypto';
import { lstat, mkdir, rm } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';

/**
 * Sockets need short paths (108 bytes on Linux), and a store may stand anywhere. They live in the
 * user's runtime directory, in a folder whose name is derived from the store and the VM, so that
 * every process finds it without asking.
 */
export function runtimeDirectory(home: string, name: string): string {
  const id = createHash('sha256').update(`${home}\0${name}`).digest('hex').slice(0, 16);
  return join(runtimeRoot(), id);
}

/** Where the supervisor of a running VM listens. */
export function controlSocket(home: string, name: string): string {
  return join(runtimeDirectory(home, name), 'control');
}

/** Creates a runtime directory that only its owner can enter; anything left in it is removed. */
export async function createRuntimeDirectory(path: string): Promise<void> {
  await ensurePrivate(runtimeRoot());
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { mode: 0o700 });
}

function runtimeRoot(): string {
  const user = process.env['XDG_RUNTIME_DIR'];
  if (user !== undefined && user !== '' && user.length < 60) return join(user, 'reprise');
  return join(tmpdir().length < 60 ? tmpdir() : '/tmp', `reprise-${String(userInfo().uid)}`);
}

async function ensurePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const stats = await lstat(path);
  const privately =
    stats.isDirectory() && stats.uid === userInfo().uid && (stats.mode & 0o077) === 0;
  if (privately) return;
  throw new RepriseError(
    'INVALID_ARGUMENT',
    `${path} must be a directory that belongs to you and that nobody else can enter. Remove it, or set XDG_RUNTIME_DIR to a private directory.`,
    { context: { path } },
  );
}
