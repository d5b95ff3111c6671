/** The port that decides when a replayed input may go in. */

/** One input to come, as the log tells it. */
export interface PacingStep {
  /** Position in the log; the number of events for the session's end. */
  readonly index: number;
  /** Recorded time since the input before (the session's start, for the first). */
  readonly gapMs: number;
  /** The log says what the screen showed just before this input. */
  readonly anchored: boolean;
  /** CPU time that the guest used, in the recording, from the last anchor to this one. 0: not recorded, or no anchor. */
  readonly recordedCpuMs: number;
  /** A key that would repeat, or a button, is pressed: its duration means something. */
  readonly holding: boolean;
  /** The guest may read the gap itself: a click that could be one of two, the key after Escape. See tempo.ts. */
  readonly tempo: boolean;
}

/** What can be seen of the guest now. */
export interface PacingEvidence {
  /**
   * Since the last input went in, without the time that the guest's CPUs waited for a CPU of the host: what a
   * guest cannot use does not count against it.
   */
  readonly sinceInputMs: number;
  /** The screen shows what the anchor recorded. False without an anchor. */
  readonly screenMatches: boolean;
  /** Since the screen last changed. */
  readonly screenQuietMs: number;
  /** CPU time that the guest used since the last anchor. */
  readonly cpuSinceAnchorMs: number;
  /** CPU seconds a second, lately; undefined until it is known. */
  readonly cpuRate: number | undefined;
  /** Since the guest's CPUs last had work, or waited for a CPU; undefined where nobody can tell. */
  readonly cpuIdleMs: number | undefined;
  /** Since the guest's disk last answered; undefined where nobody can tell. */
  readonly diskQuietMs: number | undefined;
  /** Anchors missed in a row, up to now. */
  readonly misses: number;
}

export type PacingDecision =
  | { readonly action: 'inject' }
  /** Inject although the anchor was not seen; the reason goes into the report. */
  | { readonly action: 'miss'; readonly reason: string }
  /** Ask again after this time at the latest, or when the screen changes. */
  | { readonly action: 'wait'; readonly atMostMs: number };

/** Pure: the same step and evidence give the same decision. Every step must come to an end, whatever the guest does. */
export interface PacingStrategy {
  readonly name: string;
  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision;
}
