import type { VirtualClock } from '../hypervisor/index.js';
import type { InputLog, SessionMark } from '../input/index.js';
import { toSessionMark } from '../supervisor/index.js';

import { comparableMarks, differingParts, type MarkedPart } from './divergence.js';

export interface Compared {
  /** Marks of the log that the replay came to. */
  readonly equal: number;
  /** In what the next one differs; absent where all were equal. */
  readonly different?: readonly MarkedPart[];
}

/** Holds each mark of the replay against the session's as it comes; stops the guest at the first that differs. */
export async function compareMarks(clock: VirtualClock, log: InputLog): Promise<Compared> {
  let equal = 0;
  for (const expected of comparableMarks(log)) {
    const mark = await markAt(clock, expected.atMs);
    if (mark === undefined) break;
    const different = differingParts(expected, mark);
    if (different.length > 0) {
      await clock.halt();
      return { equal, different };
    }
    equal++;
  }
  return { equal };
}

/** The replay's mark of that time; a log may lack some before it. */
async function markAt(clock: VirtualClock, atMs: number): Promise<SessionMark | undefined> {
  for (;;) {
    const mark = await clock.nextMark();
    if (mark === undefined) return undefined;
    const { atMs: at } = toSessionMark(mark);
    if (at === atMs) return toSessionMark(mark);
    if (at > atMs) return undefined;
  }
}
