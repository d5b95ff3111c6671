import { readFileSync } from 'node:fs';

import { z } from 'zod';

/**
 * Names one process beyond reuse of its pid and beyond a reboot: what `running` in a lease and the
 * owner in a lock file point at, so that a leftover of `kill -9` or a power loss is known for stale.
 */
export const processIdentitySchema = z.strictObject({
  pid: z.int().min(1),
  /** Field 22 of /proc/PID/stat: clock ticks after boot. */
  startTicks: z.string().regex(/^\d{1,20}$/),
  bootId: z.string().regex(/^[0-9a-f-]{36}$/),
});

export type ProcessIdentity = z.infer<typeof processIdentitySchema>;

/** The identity of a process that runs now; undefined when there is none of this pid. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  const startTicks = readStartTicks(pid);
  return startTicks === undefined ? undefined : { pid, startTicks, bootId: readBootId() };
}

/** The identity of this process. */
export function identifySelf(): ProcessIdentity {
  const self = identifyProcess(process.pid);
  if (self === undefined) throw new Error('/proc does not show this process; is it mounted?');
  return self;
}

/** Whether exactly this process, not a later one with its pid, is alive. A zombie is not. */
export function isAlive(identity: ProcessIdentity): boolean {
  return identity.bootId === readBootId() && readStartTicks(identity.pid) === identity.startTicks;
}

function readBootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
}

function readStartTicks(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // no such process (or it ended between open and read)
  }
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  return state === 'Z' || state === 'X' ? undefined : fields[19];
}
