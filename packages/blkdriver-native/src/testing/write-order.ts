import type { Change } from './change.js';

/**
 * How a log may differ from what the guest sent: not at all; by requests that were sent again because the guest was
 * saved before they were carried out; by requests that were carried out again because the backend was killed.
 */
export type Tolerance = 'exact' | 'gap' | 'repeats';

export interface Matched {
  /** Where the phase ends in the log. */
  readonly end: number;
  /** Changes of the guest's that stand in the log at their place. */
  readonly matched: number;
  /** Sent, and not carried out before the guest was saved. */
  readonly skipped: number;
  /** Carried out twice. */
  readonly repeated: number;
}

/** More than a ring can hold. */
const window = 8192;

/**
 * Follows one phase through the log from `start` on.
 *
 * @throws Error at the first change that is out of order
 */
export function matchPhase(
  log: readonly Change[],
  start: number,
  sent: readonly Change[],
  tolerance: Tolerance,
): Matched {
  if (tolerance === 'repeats') return matchRepeats(log, start, sent);
  let same = 0;
  while (same < sent.length && log[start + same] === sent[same]) same++;
  if (same === sent.length) return { end: start + same, matched: same, skipped: 0, repeated: 0 };
  const most = tolerance === 'gap' ? Math.min(window, sent.length - same) : 0;
  for (let skipped = 1; skipped <= most; skipped++) {
    const rest = sent.length - same - skipped;
    let i = 0;
    while (i < rest && log[start + same + i] === sent[same + skipped + i]) i++;
    if (i < rest) continue;
    return { end: start + same + rest, matched: same + rest, skipped, repeated: 0 };
  }
  throw outOfOrder(log, start + same, sent, same);
}

function matchRepeats(log: readonly Change[], start: number, sent: readonly Change[]): Matched {
  let at = start;
  let repeated = 0;
  for (let next = 0; next < sent.length; at++) {
    const change = log[at];
    if (change === sent[next]) next++;
    else if (change !== undefined && sent.slice(Math.max(0, next - window), next).includes(change))
      repeated++;
    else throw outOfOrder(log, at, sent, next);
  }
  return { end: at, matched: sent.length, skipped: 0, repeated };
}

function outOfOrder(
  log: readonly Change[],
  at: number,
  sent: readonly Change[],
  next: number,
): Error {
  const some = (list: readonly Change[], from: number): string =>
    list.slice(Math.max(0, from - 3), from + 5).join(' ');
  return new Error(
    `change ${next} of ${sent.length} is out of order: the guest sent … ${some(sent, next)} …, the log has … ${some(log, at)} … at ${at}`,
  );
}
