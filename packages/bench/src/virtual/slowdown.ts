import { join } from 'node:path';

import { vmStatus } from '@reprise/core';

import { createScratchDirectory, RunningGuest, seededPair } from '../fixture/index.js';
import { inTerminal, line, playSession, settle, think, type Session } from '../session/index.js';

import { guestProcess, processCpuSeconds } from './process-cpu.js';
import type { SlowdownPair } from './results.js';
import type { RunOptions } from './virtual-run.js';

const untar: Session = {
  ...{ name: 'untar', guest: 'desktop', title: 'unpacking what is to be built', seed: 4012 },
  steps: [think(1), inTerminal, think(0.8), ...line('tar xzf mill.tar.gz; cd mill'), settle()],
};
/** The first build of the terminal session, and nothing else of it. */
const make: Session = {
  ...{ name: 'make', guest: 'desktop', title: 'building', seed: 4013 },
  steps: [...line('make'), settle(300, 2.5)],
};

interface Cost {
  readonly seconds: number;
  readonly vcpuSeconds: number;
}

/** What a build costs in virtual time, and right after (or before) it plainly emulated: noise of the host hits both. */
export async function runSlowdownPair(options: Omit<RunOptions, 'session'>): Promise<SlowdownPair> {
  const { subject, name, run } = options;
  const clocks = run % 2 === 0 ? (['host', 'virtual'] as const) : (['virtual', 'host'] as const);
  const costs = new Map<string, Cost>();
  for (const clock of clocks) costs.set(clock, await costOfMake(clock, options));
  const [virtual, plain] = [costs.get('virtual'), costs.get('host')];
  if (virtual === undefined || plain === undefined) throw new Error('a pair has two runs');
  return {
    ...{ kind: 'slowdown', subject, session: name, run },
    ...{ virtualSeconds: virtual.seconds, plainSeconds: plain.seconds },
    ...{ virtualVcpuSeconds: virtual.vcpuSeconds, plainVcpuSeconds: plain.vcpuSeconds },
  };
}

async function costOfMake(
  clock: 'virtual' | 'host',
  options: Omit<RunOptions, 'session'>,
): Promise<Cost> {
  const { signal, onProgress } = options;
  await using directory = await createScratchDirectory(options.directory, `make-${clock}`);
  const pair = await seededPair('desktop', join(directory.path, 'pair'), {
    ...{ clock, signal, onProgress },
  });
  await using guest = await RunningGuest.start(pair.a, pair.name, { signal });
  const qemu = await guestProcess((await vmStatus(pair.a, pair.name))?.pid ?? -1);
  const used = async (): Promise<Cost> => ({
    seconds: await processCpuSeconds(qemu),
    vcpuSeconds: (await guest.cpuMs()) / 1000,
  });
  await using viewer = await guest.openViewer(signal);
  const playing = { signal, guestCpuMs: () => guest.cpuMs() };
  await playSession(viewer, untar, playing);
  const before = await used();
  onProgress(`make, ${clock === 'virtual' ? 'in virtual time' : "under the host's clock"}`);
  await playSession(viewer, make, playing);
  const after = await used();
  return {
    seconds: after.seconds - before.seconds,
    vcpuSeconds: after.vcpuSeconds - before.vcpuSeconds,
  };
}
