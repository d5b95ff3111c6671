/** Whether a replay is still worth waiting for, while it runs. Pure, so that it can be tried on any course of events. */

export interface RaceFacts {
  /** What the operator wants less of. */
  readonly optimize: 'bytes' | 'time';
  /** What the replay is expected to save in the end, log and digests taken off. */
  readonly savedBytes: number;
  /** What goes ahead meanwhile and is not out yet. */
  readonly aheadBytes: number;
  /** Of the link; undefined while it is not known. */
  readonly bytesPerSecond: number | undefined;
  /** Since the replay was asked for. */
  readonly elapsedSeconds: number;
  /** What the plan expected of the whole replay. */
  readonly plannedSeconds: number;
  /** How much of the session is replayed, 0 to 1, as the destination told last. */
  readonly done: number;
  /** Since it told of something new. */
  readonly silentSeconds: number;
}

/** A replay that tells of nothing new for so long, and for several times what the plan gave it in all, hangs. */
const HANGS_SECONDS = 120;
const HANGS_PLANS = 3;
/** Below this nothing is decided: the first word of a replay comes late. */
const FIRST_LOOK_SECONDS = 2;

/** Why the replay is to be stopped; undefined: it goes on. What it has produced counts either way. */
export function stopReplayBecause(facts: RaceFacts): string | undefined {
  const { silentSeconds, plannedSeconds } = facts;
  if (silentSeconds > HANGS_SECONDS + HANGS_PLANS * plannedSeconds) {
    return `nothing was replayed for ${silentSeconds.toFixed(0)} s`;
  }
  const { optimize, bytesPerSecond, elapsedSeconds } = facts;
  if (optimize === 'bytes' || bytesPerSecond === undefined || bytesPerSecond <= 0) return undefined;
  if (elapsedSeconds < FIRST_LOOK_SECONDS) return undefined;
  // What goes ahead has to go anyway: only the wait beyond it is the replay's.
  const waitSeconds = remainingSeconds(facts) - facts.aheadBytes / bytesPerSecond;
  const savedSeconds = Math.max(0, facts.savedBytes) / bytesPerSecond;
  if (waitSeconds <= savedSeconds) return undefined;
  return `it needs another ${waitSeconds.toFixed(0)} s or so to save ${savedSeconds.toFixed(0)} s of the link`;
}

/** By its own pace where it has one; before, by the plan, and by what it has overrun it. Silence counts as slowness. */
export function remainingSeconds(facts: RaceFacts): number {
  const { done, elapsedSeconds, silentSeconds, plannedSeconds } = facts;
  const planned = Math.max(plannedSeconds - elapsedSeconds, 0);
  if (done >= 1) return 0;
  if (done <= 0) return Math.max(planned, elapsedSeconds - plannedSeconds);
  const byPace = ((elapsedSeconds - silentSeconds) / done) * (1 - done);
  return Math.max(byPace - silentSeconds, silentSeconds - plannedSeconds / 2, 0);
}
