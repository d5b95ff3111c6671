import { setTimeout as sleep } from 'node:timers/promises';

import { describeError, RepriseError } from '../errors.js';
import type { HypervisorVm } from '../hypervisor/index.js';

import { warn, type SessionParts } from './session-parts.js';
import type { VirtualSession } from './virtual-session.js';

const DISK_LOOK_MS = 1_000;

/**
 * Stops the guest at a tick, with every input before it in the log; or lets it stand where it comes to none any
 * more. Its log is then not complete.
 */
export async function stopAtTick(
  virtual: VirtualSession,
  { console, clock, powered, tally }: Pick<SessionParts, 'console' | 'clock' | 'powered' | 'tally'>,
): Promise<void> {
  const ticking = new AbortController();
  const atTick = console.holdInput().then(() => virtual.end());
  // Where it is not waited for any more.
  atTick.catch(() => undefined);
  try {
    const endMs = await Promise.race([atTick, untilStoppedByDisk(powered.vm, ticking.signal)]);
    if (endMs !== undefined) clock.settle(endMs);
    else virtual.abandon(stoppedByDisk());
  } catch (error) {
    // A guest whose clock does not answer is still a guest: its memory is worth more than its log.
    virtual.abandon(error);
    warn(tally, `The guest could not be stopped at a tick: ${describeError(error)}`);
  } finally {
    ticking.abort();
  }
}

/** Settles with undefined once a failure of its disk has stopped the guest; never after `over`. */
async function untilStoppedByDisk(vm: HypervisorVm, over: AbortSignal): Promise<undefined> {
  while (!over.aborted) {
    if ((await vm.stoppedByDisk?.().catch(() => false)) === true) return undefined;
    await sleep(DISK_LOOK_MS, undefined, { signal: over }).catch(() => undefined);
  }
  return await new Promise<never>(() => undefined);
}

function stoppedByDisk(): RepriseError {
  return new RepriseError(
    'DISK_UNAVAILABLE',
    'A failure of its disk had stopped the guest, which therefore could not be stopped at an instant that a replay finds.',
  );
}
