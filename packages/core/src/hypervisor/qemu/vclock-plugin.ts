import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

import { RepriseError } from '../../errors.js';

/** The built plugin, whether this module runs from src (tests) or from dist. */
const PLUGIN = new URL('../../../../qemu-vclock/build/plugin/vclock.so', import.meta.url);

/** What QEMU is started with for a guest in virtual time. Part of what must be equal for a replay to be exact. */
export const ICOUNT_SHIFT = 2;

/** The plugin's path: REPRISE_VCLOCK_PLUGIN, or where the build puts it. Throws VIRTUAL_TIME_UNAVAILABLE. */
export async function vclockPlugin(): Promise<string> {
  const path = process.env['REPRISE_VCLOCK_PLUGIN'] ?? fileURLToPath(PLUGIN);
  try {
    await access(path);
    return path;
  } catch (cause) {
    throw new RepriseError(
      'VIRTUAL_TIME_UNAVAILABLE',
      `The plugin for virtual time is not built (${path}). Build it: npm run setup`,
      { cause, context: { path } },
    );
  }
}

/** SHA-256 of a program or plugin, in hex: what "the same build" means. */
export async function buildDigest(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
