import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { runProgram } from './run-program.js';
import {
  stateTraffic,
  traffic,
  type StateFiles,
  type StateTraffic,
  type Traffic,
} from './state-files.js';

export interface RsyncOptions {
  /** Where the copies of the base stand while they are brought up to date; large. */
  readonly directory: string;
  /** For RAM; default: rsync chooses, about the square root of the size. */
  readonly ramBlockBytes?: number;
  readonly signal?: AbortSignal;
}

/**
 * What `rsync -z` sends and receives to bring the base to the target: RAM, disk and device state, each
 * file against its old version. rsync counts its own bytes; no transport's overhead is added. Not
 * --inplace, which writes less but matches less: rsync at its best.
 */
export async function measureRsync(
  base: StateFiles,
  target: StateFiles,
  options: RsyncOptions,
): Promise<StateTraffic> {
  return stateTraffic({
    ram: await rsyncOne(base.ram, target.ram, options, options.ramBlockBytes),
    disk: await rsyncOne(base.disk, target.disk, options),
    device: await rsyncOne(base.device, target.device, options),
  });
}

async function rsyncOne(
  base: string,
  target: string,
  { directory: parent, signal }: RsyncOptions,
  blockBytes?: number,
): Promise<Traffic> {
  const options = signal === undefined ? {} : { signal };
  const directory = await mkdtemp(join(parent, 'rsync-'));
  try {
    const copy = join(directory, 'copy');
    await runProgram('cp', ['--sparse=always', '--reflink=auto', base, copy], options);
    const block = blockBytes === undefined ? [] : [`--block-size=${String(blockBytes)}`];
    const how = ['--compress', '--no-whole-file', '--sparse', '--ignore-times', ...block];
    const output = await runProgram('rsync', [...how, '--stats', target, copy], options);
    return traffic(
      statistic(output, 'Total bytes sent'),
      statistic(output, 'Total bytes received'),
    );
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
