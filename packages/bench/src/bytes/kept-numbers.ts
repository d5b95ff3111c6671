import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { fixtureDirectory } from '../fixture/directories.js';

/**
 * A number that takes minutes to find and depends on nothing but `inputs`: kept in the cache, so that a bench that was
 * stopped goes on where it was. Whoever deletes it only loses time.
 */
export async function keptNumber(
  inputs: readonly (string | number)[],
  find: () => Promise<number>,
  directory = join(fixtureDirectory(), 'numbers'),
): Promise<number> {
  const name = createHash('sha256').update(JSON.stringify(inputs)).digest('hex');
  const path = join(directory, name);
  const text = await readFile(path, 'utf8').catch(() => '');
  const kept = Number.parseInt(text, 10);
  if (Number.isSafeInteger(kept)) return kept;
  const found = await find();
  await mkdir(directory, { recursive: true });
  const partial = `${path}.${String(process.pid)}`;
  await writeFile(partial, `${String(found)}\n`);
  await rename(partial, path);
  return found;
}
