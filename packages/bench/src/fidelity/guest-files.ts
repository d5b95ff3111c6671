import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const TIMEOUT_MS = 300_000;
/** e2fsck says with it that it has corrected something: here, that it has replayed the journal. */
const CORRECTED = 1;

/**
 * SHA-256 of files on an ext4 image, as a guest would read them after the next mount: the journal is replayed on a
 * copy first. `null`: no such file.
 */
export async function digestsOfFiles(
  image: string,
  paths: readonly string[],
): Promise<Readonly<Record<string, string | null>>> {
  const directory = await mkdtemp(join(dirname(image), 'files-'));
  try {
    const copy = join(directory, 'disk.raw');
    await copyFile(image, copy);
    await run('e2fsck', ['-f', '-y', copy], { timeout: TIMEOUT_MS }).catch((error: unknown) => {
      if ((error as { code?: unknown }).code !== CORRECTED) throw error;
    });
    const digests: Record<string, string | null> = {};
    for (const path of paths) {
      const file = join(directory, 'file');
      await rm(file, { force: true });
      await run('debugfs', ['-R', `dump ${path} ${file}`, copy], { timeout: TIMEOUT_MS });
      const content = await readFile(file).catch(() => undefined);
      digests[path] =
        content === undefined ? null : createHash('sha256').update(content).digest('hex');
    }
    return digests;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
