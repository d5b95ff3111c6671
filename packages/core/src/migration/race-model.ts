/** Whether a replay is still worth waiting for, while it runs. Pure, so that it can be tried on any course of events. */

import type { Stakes } from './plan.js';

export interface RaceFacts {
  /** What the operator wants less of. */
  readonly optimize: 'bytes' | 'time';
  /** What has to go is out, but for what the replay was seen to have produced. */
  readonly shipped: boolean;
  /** What the plan expected of the whole replay. */
  readonly plannedSeconds: number;
  /** Since the destination told of something new. */
  readonly silentSeconds: number;
  /** How much of the session was replayed, 0 to 1; and up to the last recorded screen that appeared. */
  readonly done: number;
  readonly matched: number;
  /** Recorded screens that did not appear since then. */
  readonly missesInARow: number;
  /** Undefined: the replay was asked for by name. */
  readonly stakes: Stakes | undefined;
}

export interface Stop {
  /** For a person. */
  readonly because: string;
  /** What the replay has produced is worth asking for. */
  readonly keep: boolean;
}

/** A replay that tells of nothing new for so long, and for several times what the plan gave it in all, hangs. */
const HANGS_SECONDS = 120;
const HANGS_PLANS = 3;
/** So many screens in a row that do not appear are no accident. A job's number on the screen hides some from good replays, too. */
const DIVERGED_MISSES = 3;
/** What a replay produces is worth half, by each so many screens that it misses in a row. Guessed, on the careful side. */
const HALVED_BY_MISSES = 6;
/** What it costs to hear of a replay, a second. */
const LISTENING_BYTES = 75;

/**
 * Why the replay is to be stopped; undefined: it goes on. Where time counts, the residue is shipped meanwhile, so that nothing is lost
 * by waiting until that is done; and nothing is left to be gained then. Where bytes count, one that keeps missing its
 * screens goes on only as long as it can be expected to save more than it costs, unless the operator wanted it all the same.
 */
export function stopReplayBecause(facts: RaceFacts): Stop | undefined {
  const { optimize, shipped, silentSeconds, plannedSeconds, stakes } = facts;
  if (optimize === 'time' && shipped) return { because: 'shipping was faster', keep: true };
  if (silentSeconds > HANGS_SECONDS + HANGS_PLANS * plannedSeconds) {
    const because = `no input went in, and its guest did nothing, for ${silentSeconds.toFixed(0)} s`;
    return { because, keep: true };
  }
  return optimize === 'bytes' && stakes !== undefined ? stopDiverged(facts, stakes) : undefined;
}

function stopDiverged(facts: RaceFacts, stakes: Stakes): Stop | undefined {
  const { done, matched, missesInARow, plannedSeconds } = facts;
  const { savesBytes, askingBytes } = stakes;
  if (missesInARow < DIVERGED_MISSES) return undefined;
  const share = 2 ** (-missesInARow / HALVED_BY_MISSES);
  const produced = savesBytes * (matched + (done - matched) * share);
  const toCome = savesBytes * (1 - done) * share;
  const missed = `${String(missesInARow)} recorded screens in a row did not appear`;
  if (produced + toCome <= askingBytes)
    return {
      because: `${missed}, and asking for what it did costs more than that saves`,
      keep: false,
    };
  if (toCome <= LISTENING_BYTES * plannedSeconds * (1 - done))
    return {
      because: `${missed}, and the rest of it is not expected to save anything`,
      keep: true,
    };
  return undefined;
}
