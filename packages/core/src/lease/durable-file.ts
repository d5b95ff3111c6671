import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { z } from 'zod';

import { RepriseError } from '../errors.js';
import { identifyProcess, identifySelf } from './process-identity.js';

/** Files that are whole or absent after any crash: the one way the store and the lease write. */

/** Small records only: whoever finds more than this in a record's place is not looking at a record. */
const MAX_RECORD_BYTES = 16 * 1024 * 1024;

/** Makes what was created, renamed or removed in `path` survive a power loss. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Makes a file's content survive a power loss. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Renames within one file system, durably on both ends. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
  if (dirname(from) !== dirname(to)) await syncDirectory(dirname(from));
}

/** A name beside `path` for something in the making, that tells whose it is. */
export function temporaryPath(path: string): string {
  const { pid, startTicks } = identifySelf();
  return `${path}.tmp-${pid}.${startTicks}.${randomBytes(6).toString('hex')}`;
}

/** Whether a directory entry is something in the making whose maker is gone. */
export function isAbandonedTemporary(entry: string): boolean {
  const match = /\.tmp-(\d{1,10})\.(\d{1,20})\.[0-9a-f]{12}$/.exec(entry);
  if (match === null) return false;
  return identifyProcess(Number(match[1]))?.startTicks !== match[2];
}

/**
 * Replaces `path` by a file with this content: readers see the old or the new one, never a part.
 * @param mode permission bits of the new file; 0600 unless told.
 */
export async function writeFileAtomic(
  path: string,
  content: string | Uint8Array,
  mode = 0o600,
): Promise<void> {
  const temporary = temporaryPath(path);
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncDirectory(dirname(path));
}

/** Writes a record as JSON, atomically; `schema` guards against writing what could not be read again. */
export async function writeRecord<T>(path: string, schema: z.ZodType<T>, value: T): Promise<void> {
  await writeFileAtomic(path, `${JSON.stringify(schema.parse(value), null, 2)}\n`);
}

/** Reads and checks a record; undefined if there is none. Throws STORE_CORRUPT. */
export async function readRecord<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  let text: string;
  try {
    text = await readBounded(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw corrupt(path, 'it is not JSON', cause);
  }
  const result = schema.safeParse(value);
  if (!result.success) throw corrupt(path, result.error.issues[0]?.message ?? '', result.error);
  return result.data;
}

async function readBounded(path: string): Promise<string> {
  const file = await open(path, 'r');
  try {
    const { size } = await file.stat();
    if (size > MAX_RECORD_BYTES) throw corrupt(path, `it is ${size} bytes long`, undefined);
    return await readFile(file, 'utf8');
  } finally {
    await file.close();
  }
}

function corrupt(path: string, why: string, cause: unknown): RepriseError {
  return new RepriseError(
    'STORE_CORRUPT',
    `${path} is damaged (${why}). Run "reprise doctor", or restore the file from a backup.`,
    { context: { path }, cause },
  );
}

/** Whether `error` is the operating system's error of this name. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  return (
    typeof error === 'object' &&
    error !== null &&
    'code' in error &&
    typeof error.code === 'string' &&
    codes.includes(error.code)
  );
}
