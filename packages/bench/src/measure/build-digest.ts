import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGES = fileURLToPath(new URL('../../../', import.meta.url));
/** What a measurement depends on: everything that runs on either host. */
const MEASURED = ['core', 'differ', 'blkdriver-native'];
const BUILT = ['dist', 'build'];

/** Names the code that is measured: results of another build are not of this one. 16 hexadecimal digits. */
export async function buildDigest(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of MEASURED) {
    for (const folder of BUILT) {
      for (const file of await programsIn(join(PACKAGES, name, folder))) {
        hash.update(file.slice(PACKAGES.length)).update('\0');
        hash.update(await readFile(file));
      }
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function programsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true }).catch(() => []);
  return entries
    .filter((entry) => /\.(?:js|node)$/.test(entry) && !entry.split(sep).includes('testing'))
    .map((entry) => join(directory, entry))
    .sort();
}
