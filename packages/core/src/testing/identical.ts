import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { plainFiles, type Pair } from './tiny-pair.js';

const run = promisify(execFile);

/** Compares both hosts' heads byte for byte, with a program that is not ours. Throws what cmp says. */
export async function expectIdentical({ directory, here, there }: Pair): Promise<void> {
  const [left, right] = [join(directory, 'cmp-a'), join(directory, 'cmp-b')];
  await mkdir(left, { recursive: true });
  await mkdir(right, { recursive: true });
  const ours = await plainFiles(here.home, left);
  const theirs = await plainFiles(there.home, right);
  for (const part of ['ram', 'disk', 'device'] as const)
    await run('cmp', [ours[part], theirs[part]]);
  await rm(left, { recursive: true });
  await rm(right, { recursive: true });
}
