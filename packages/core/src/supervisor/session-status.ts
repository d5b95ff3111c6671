import type { VirtualClockStatus } from '../hypervisor/index.js';

import type { VmStatus } from './control.js';
import { LastKnown } from './last-known.js';
import type { SessionParts } from './session-parts.js';
import { lagWarning } from './virtual-session.js';

/** Long for a QEMU that is only busy, and short beside what a caller waits. */
const PATIENCE_MS = 3_000;

const STOPPED =
  'A failure of its disk (no space, or the disk process stays away) has stopped the guest. Its memory is safe: suspend the VM, make room, and start it again; it goes on in the request that failed.';

interface Progress {
  readonly cpuMs: number;
  readonly time: VirtualClockStatus | undefined;
  /** A failure of its disk has stopped the guest. */
  readonly stopped: boolean;
}

/** What a session says of itself, also while QEMU does not answer: then with what that said last. */
export class SessionStatus {
  readonly #parts: SessionParts;
  readonly #startedAt: string;
  readonly #progress: LastKnown<Progress>;

  constructor(parts: SessionParts, startedAt: string) {
    this.#parts = parts;
    this.#startedAt = startedAt;
    this.#progress = new LastKnown(async () => {
      const { vm } = parts.powered;
      const [{ cpuMs }, time, stopped] = await Promise.all([
        vm.progress(),
        parts.virtual?.status(),
        vm.stoppedByDisk?.(),
      ]);
      return { cpuMs, time, stopped: stopped ?? false };
    });
  }

  async get(): Promise<Omit<VmStatus, 'state'>> {
    const { name, console, clock, tally } = this.#parts;
    const { value, ageMs } = await this.#progress.get(PATIENCE_MS);
    const time = value?.time;
    const lag = time === undefined ? undefined : lagWarning(time);
    const stopped = value?.stopped === true ? STOPPED : undefined;
    const silence = silenceWarning(ageMs);
    return {
      name,
      pid: process.pid,
      console: console.address,
      startedAt: this.#startedAt,
      sessionMs: Math.round(time === undefined ? clock.now() : time.sessionNs / 1e6),
      ...(time === undefined ? {} : timeSpent(time)),
      guestCpuMs: value?.cpuMs ?? 0,
      inputEvents: tally.events,
      diskRestarts: tally.diskRestarts,
      warnings: [...tally.warnings, lag, stopped, silence].filter((text) => text !== undefined),
    };
  }
}

/** Undefined while QEMU answers. */
function silenceWarning(ageMs: number): string | undefined {
  if (ageMs === 0) return undefined;
  return `QEMU has not answered for ${(ageMs / 1000).toFixed(0)} s: it waits for its disk, or the host is overloaded. Times are those of before.`;
}

/** Where the real time of a guest in virtual time went. */
function timeSpent({ lagNs, diskRequests, diskNs }: VirtualClockStatus) {
  return { lagMs: Math.round(lagNs / 1e6), diskRequests, diskMs: Math.round(diskNs / 1e6) };
}
