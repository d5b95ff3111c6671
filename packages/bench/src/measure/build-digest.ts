import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Of what a migration runs: two builds with the same digest send the same bytes for the same states. */
const PACKAGES = ['blkdriver-native', 'core', 'differ', 'qemu-vclock'] as const;

/**
 * What runs of TypeScript as built, without maps and types, and of C++ its sources: how it was compiled does not change
 * what is sent, and differs from one directory to the next. Tests are left out. 16 hexadecimal digits.
 */
export async function buildDigest(
  root = fileURLToPath(new URL('../../../', import.meta.url)),
): Promise<string> {
  const hash = createHash('sha256');
  for (const name of PACKAGES) {
    for (const part of ['dist', 'native']) {
      for (const path of await codeFiles(join(root, name, part))) {
        const content = await readFile(path);
        hash.update(JSON.stringify([relative(root, path), content.length]));
        hash.update(content);
      }
    }
  }
  return hash.digest('hex').slice(0, 16);
}

async function codeFiles(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true }).catch(
    () => [],
  );
  return entries
    .filter((entry) => entry.isFile() && /\.(js|cc|cpp|h)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !/\.test\.js$|\/(tests?|testing|fuzz)\//.test(path))
    .sort();
}
