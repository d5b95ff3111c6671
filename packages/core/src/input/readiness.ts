import type { PacingEvidence, PacingStep } from './pacing.js';

/** One sign that the guest is done with what it was told. Parts of a pacing strategy that can be swapped. */
export interface ReadinessSign {
  readonly name: string;
  /** Undefined: cannot be told here, ask the others. Pure. */
  holds(step: PacingStep, evidence: PacingEvidence): boolean | undefined;
}

/** How long a sign must last: longer where a wrong guess would put input into the wrong window. */
const beforeAnything = { cpuMs: 15, diskMs: 15 };
const beforeWhatMatters = { cpuMs: 60, diskMs: 60, screenMs: 60 };

/** The guest's CPUs have nothing to do, and none of them waits for a CPU of the host. */
export const cpuIdle: ReadinessSign = {
  name: 'cpu idle',
  holds: ({ anchored }, { cpuIdleMs }) =>
    cpuIdleMs === undefined
      ? undefined
      : cpuIdleMs >= (anchored ? beforeWhatMatters : beforeAnything).cpuMs,
};

/** The disk has answered all that was asked of it, for a while. */
export const diskQuiet: ReadinessSign = {
  name: 'disk quiet',
  holds: ({ anchored }, { diskQuietMs }) =>
    diskQuietMs === undefined
      ? undefined
      : diskQuietMs >= (anchored ? beforeWhatMatters : beforeAnything).diskMs,
};

/** The screen rests. Only where it is watched: without an anchor nobody looks. */
export const screenQuiet: ReadinessSign = {
  name: 'screen quiet',
  holds: ({ anchored }, { screenQuietMs }) =>
    anchored ? screenQuietMs >= beforeWhatMatters.screenMs : undefined,
};

/** It has done the work that it did in the recording, as far as that was more than idling. */
export const workDone: ReadinessSign = {
  name: 'recorded work done',
  holds: ({ anchored, recordedCpuMs, gapMs }, { cpuSinceAnchorMs }) =>
    anchored ? cpuSinceAnchorMs >= substantial(recordedCpuMs, gapMs) : undefined,
};

/** Of a guest that idles: timers, a clock, a cursor. Measured on desktops: 2 to 5 %. */
const IDLE_SHARE = 0.06;
/** A replayed program does not use the same CPU time to the millisecond: caches differ, hosts differ. */
const TOLERANCE = 0.6;
const SLACK_MS = 60;

function substantial(recordedCpuMs: number, gapMs: number): number {
  return Math.max(0, TOLERANCE * (recordedCpuMs - IDLE_SHARE * gapMs) - SLACK_MS);
}
