import { access, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import type { LongOptions, SnapshotStore, WorkingCopy } from '../snapshot/index.js';

/** In a working copy whose guest switched itself off: its disk is good, its RAM is over. */
const POWERED_OFF = 'powered-off';

/** What to do with a session that ended without a suspend. */
export type LeftoverPolicy = 'refuse' | 'discard' | 'cold';

/** What a session runs on, and whether the guest goes on from a device state or powers on. */
export interface SessionCopy {
  readonly working: WorkingCopy;
  readonly resumes: boolean;
}

/**
 * A fresh working copy of the head, or the one that a guest which powered off left behind. Throws
 * SESSION_INTERRUPTED where a crash left one and `leftover` does not say what to do with it.
 */
export async function openSessionCopy(
  store: SnapshotStore,
  name: string,
  leftover: LeftoverPolicy,
  options: LongOptions = {},
): Promise<SessionCopy> {
  const left = await finishSuspend(store, await store.workingCopy(name));
  if (left !== undefined) {
    if (leftover === 'discard') await store.discardWorkingCopy(name);
    else if (leftover === 'cold' || left.base === null || (await poweredOff(left))) {
      return await powerOnAgain(store, left);
    } else {
      throw new RepriseError(
        'SESSION_INTERRUPTED',
        `The last session of '${name}' ended without a suspend. Its disk is kept: boot from it with 'reprise start ${name} --cold', or go back to the last snapshot with 'reprise start ${name} --discard'.`,
      );
    }
  }
  const working = await store.createWorkingCopy(name, options);
  return { working, resumes: working.paths.resumeFrom !== undefined };
}

/** Notes that the guest switched itself off, so that the next start is a power-on. */
export async function markPoweredOff(working: WorkingCopy): Promise<void> {
  await writeFile(join(working.paths.directory, POWERED_OFF), '');
}

async function poweredOff(working: WorkingCopy): Promise<boolean> {
  return await exists(join(working.paths.directory, POWERED_OFF));
}

/**
 * A working copy with a device state was suspended, and only its way into the store was cut short: it
 * is brought in now, and none is left.
 */
async function finishSuspend(
  store: SnapshotStore,
  working: WorkingCopy | undefined,
): Promise<WorkingCopy | undefined> {
  if (working === undefined || !(await exists(working.paths.device))) return working;
  await store.commitWorkingCopy(working.vm);
  return undefined;
}

async function exists(path: string): Promise<boolean> {
  return await access(path).then(
    () => true,
    () => false,
  );
}

/** The disk stays, the RAM starts empty, the input log starts over. */
async function powerOnAgain(store: SnapshotStore, working: WorkingCopy): Promise<SessionCopy> {
  const { memoryMiB } = await store.machine(working.vm);
  await truncate(working.paths.ram, 0);
  await truncate(working.paths.ram, memoryMiB * 1024 * 1024);
  await rm(working.paths.inputLog, { force: true });
  await rm(join(working.paths.directory, POWERED_OFF), { force: true });
  return { working, resumes: false };
}
