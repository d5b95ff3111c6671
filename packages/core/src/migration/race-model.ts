/** Whether a replay is still worth waiting for, while it runs. Pure, so that it can be tried on any course of events. */

export interface RaceFacts {
  /** What the operator wants less of. */
  readonly optimize: 'bytes' | 'time';
  /** What has to go is out, but for what the replay was seen to have produced. */
  readonly shipped: boolean;
  /** What the plan expected of the whole replay. */
  readonly plannedSeconds: number;
  /** Since the destination told of something new. */
  readonly silentSeconds: number;
}

/** A replay that tells of nothing new for so long, and for several times what the plan gave it in all, hangs. */
const HANGS_SECONDS = 120;
const HANGS_PLANS = 3;

/**
 * Why the replay is to be stopped; undefined: it goes on. What it has produced counts either way. Where time counts, the
 * residue is shipped meanwhile, so that nothing is lost by waiting until that is done; and nothing is left to be gained
 * then.
 */
export function stopReplayBecause(facts: RaceFacts): string | undefined {
  const { optimize, shipped, silentSeconds, plannedSeconds } = facts;
  if (optimize === 'time' && shipped) return 'shipping was faster';
  if (silentSeconds > HANGS_SECONDS + HANGS_PLANS * plannedSeconds)
    return `nothing was replayed for ${silentSeconds.toFixed(0)} s`;
  return undefined;
}
