import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

import { runProgram } from './run-program.js';
import type { StateFiles, Traffic } from './state-files.js';

/**
 * What `rsync -z` sends and receives to bring the base to the target: RAM, disk and device state, each
 * file against its old version, as the 2008 prototype and most people would do it. rsync counts its
 * own bytes; no transport's overhead is added.
 */
export async function measureRsync(
  base: StateFiles,
  target: StateFiles,
  options: { signal?: AbortSignal } = {},
): Promise<Traffic & { readonly byPart: Readonly<Record<keyof StateFiles, Traffic>> }> {
  const byPart = {
    ram: await rsyncOne(base.ram, target.ram, options),
    disk: await rsyncOne(base.disk, target.disk, options),
    device: await rsyncOne(base.device, target.device, options),
  };
  const parts = Object.values(byPart);
  const sent = parts.reduce((sum, part) => sum + part.sent, 0);
  const received = parts.reduce((sum, part) => sum + part.received, 0);
  return { total: sent + received, sent, received, byPart };
}

async function rsyncOne(
  base: string,
  target: string,
  options: { signal?: AbortSignal },
): Promise<Traffic> {
  const directory = await mkdtemp(join(dirname(target), '.rsync-'));
  try {
    const copy = join(directory, 'copy');
    await runProgram('cp', ['--sparse=always', '--reflink=auto', base, copy], options);
    const output = await runProgram(
      'rsync',
      ['--compress', '--no-whole-file', '--inplace', '--ignore-times', '--stats', target, copy],
      options,
    );
    const sent = statistic(output, 'Total bytes sent');
    const received = statistic(output, 'Total bytes received');
    return { total: sent + received, sent, received };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function statistic(output: string, name: string): number {
  const match = new RegExp(`^${name}: ([\\d,.]+)$`, 'm').exec(output);
  const value = Number(match?.[1]?.replaceAll(/[,.]/g, ''));
  if (Number.isInteger(value)) return value;
  throw new Error(`rsync printed no '${name}'. Use rsync 3 with --stats.`);
}
