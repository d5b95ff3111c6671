import type { InputLatency } from '@reprise/core';

import type { VirtualSession } from './sessions.js';
import type { VirtualSummary } from './summary.js';

/** What virtual time promises, and whether that was seen. */
export interface Verdict {
  readonly session: string;
  readonly promise: string;
  readonly measured: string;
  /** Null: nothing here can tell. */
  readonly holds: boolean | null;
}

/** Everything on the link for a session of about two minutes without network. */
const SHORT_BYTES = 16_000;
const LONG_BYTES_A_MINUTE = 4_000;
const LONG_MINUTES = 30;
/** A half hour may end early by this share. */
const LONG_TOLERANCE = 0.1;
const MOST_SLOWDOWN = 0.1;
const IDLE_SHARE = 0.5;
const MOST_REPLAY_SHARE = 0.6;
const MOST_LATENCY_MS = 20;

export function verdictsOf(
  { name, network, long }: VirtualSession,
  summary: VirtualSummary,
): Verdict[] {
  const { runs, identical, bytesSpread, alone, slowdown, failures } = summary;
  const say = (promise: string, measured: string, holds: boolean | null): Verdict => ({
    ...{ session: name, promise, measured, holds },
  });
  const verdicts = [
    say(
      'every replay is bit-identical',
      `${String(identical)} of ${String(runs)}`,
      identical === runs,
    ),
    say('every run comes to an end', `${String(failures.length)} failed`, failures.length === 0),
  ];
  if (long) verdicts.push(...longVerdicts(summary, say));
  else if (!network) {
    verdicts.push(
      say(
        `at most ${String(SHORT_BYTES)} bytes on the link`,
        `${String(bytesSpread.max)} at most`,
        bytesSpread.max <= SHORT_BYTES,
      ),
    );
  }
  if (alone !== null && alone.idleShare >= IDLE_SHARE) {
    verdicts.push(
      say(
        `half idle, a replay takes at most ${percent(MOST_REPLAY_SHARE)} of the session`,
        `${percent(alone.replayShare)} at most, ${percent(alone.idleShare)} idle`,
        alone.replayShare <= MOST_REPLAY_SHARE,
      ),
    );
  }
  if (slowdown !== null) {
    verdicts.push(
      say(
        `the guest is at most ${percent(MOST_SLOWDOWN)} slower`,
        `${percent(slowdown.qemu.median)} (${percent(slowdown.qemu.min)} to ${percent(slowdown.qemu.max)}, ${String(slowdown.pairs)} pairs)`,
        slowdown.qemu.median <= MOST_SLOWDOWN,
      ),
    );
  }
  return verdicts;
}

function longVerdicts(
  { bytesSpread, log, frames, sessionSeconds }: VirtualSummary,
  say: (promise: string, measured: string, holds: boolean | null) => Verdict,
): Verdict[] {
  const minutes = sessionSeconds / 60;
  // Frames are counted as the guest got them; the log that has them is compressed.
  const framesOnLink = Math.min(frames, log);
  const aMinute = (bytesSpread.max - framesOnLink) / minutes;
  return [
    say(
      `at most ${String(LONG_BYTES_A_MINUTE)} bytes a minute beside logged frames`,
      `${aMinute.toFixed(0)} over ${minutes.toFixed(1)} minutes, and ${String(framesOnLink)} of log with ${String(frames)} of frames`,
      aMinute <= LONG_BYTES_A_MINUTE,
    ),
    say(
      `lasts about ${String(LONG_MINUTES)} minutes`,
      `${minutes.toFixed(1)} minutes of its own time`,
      minutes >= LONG_MINUTES * (1 - LONG_TOLERANCE),
    ),
  ];
}

export function latencyVerdict({ medianMs, p95Ms }: InputLatency): Verdict {
  return {
    session: 'latency',
    promise: `input is with the guest within ${String(MOST_LATENCY_MS)} ms, at the median`,
    measured: `${medianMs.toFixed(1)} ms, 95 % within ${p95Ms.toFixed(1)} ms`,
    holds: medianMs < MOST_LATENCY_MS,
  };
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
