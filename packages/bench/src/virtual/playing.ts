import { vmStatus } from '@reprise/core';

import { RunningGuest, type SeededPair } from '../fixture/index.js';
import { playSession, type Session } from '../session/index.js';

import type { VirtualRun } from './results.js';

export type Played = Pick<
  VirtualRun,
  'wallSeconds' | 'cpuSeconds' | 'lagSeconds' | 'diskRequests' | 'diskSeconds'
>;

/** Plays a session on the source's copy of the VM, and suspends it. */
export async function play(
  pair: SeededPair,
  session: Session,
  { signal, onProgress }: { signal: AbortSignal; onProgress: (text: string) => void },
): Promise<Played> {
  await using guest = await RunningGuest.start(pair.a, pair.name, { signal });
  const beforeMs = await guest.cpuMs();
  const startedMs = performance.now();
  await using viewer = await guest.openViewer(signal);
  onProgress(`playing ${session.title}`);
  await playSession(viewer, session, { signal, guestCpuMs: () => guest.cpuMs() });
  await viewer.close();
  const status = await vmStatus(pair.a, pair.name);
  if (status === undefined) throw new Error(`'${pair.name}' does not run any more.`);
  const wallSeconds = (performance.now() - startedMs) / 1000;
  await guest.suspend();
  return {
    wallSeconds,
    cpuSeconds: (status.guestCpuMs - beforeMs) / 1000,
    lagSeconds: (status.lagMs ?? 0) / 1000,
    diskRequests: status.diskRequests ?? 0,
    diskSeconds: (status.diskMs ?? 0) / 1000,
  };
}
