import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { fixtureDirectory } from '../fixture/directories.js';

/**
 * A result that takes minutes to find and depends on nothing but `inputs`: kept in the cache, so that a bench that was
 * stopped goes on where it was. Whoever deletes it only loses time; what cannot be read is found again.
 */
export async function keptResult<T>(
  inputs: readonly (string | number)[],
  find: () => Promise<T>,
  directory = join(fixtureDirectory(), 'results'),
): Promise<T> {
  const name = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
  const path = join(directory, `${name}.json`);
  const known = await readKept(path, inputs);
  if (known !== undefined) return known.result as T;
  const result = await find();
  await mkdir(directory, { recursive: true });
  await writeWhole(path, `${JSON.stringify({ inputs, result })}\n`);
  return result;
}

/** A file with that name holds the old text or the new one, whenever the process ends. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const partial = `${path}.${String(process.pid)}`;
  await writeFile(partial, text);
  await rename(partial, path);
}

async function readKept(
  path: string,
  inputs: readonly (string | number)[],
): Promise<{ result: unknown } | undefined> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const kept = JSON.parse(text) as { inputs?: unknown; result?: unknown };
    const isSame = JSON.stringify(kept.inputs) === JSON.stringify(inputs);
    return isSame && kept.result !== undefined ? { result: kept.result } : undefined;
  } catch {
    return undefined;
  }
}
