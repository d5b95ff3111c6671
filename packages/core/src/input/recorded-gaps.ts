import type { PacingDecision, PacingEvidence, PacingStep, PacingStrategy } from './pacing.js';

export interface RecordedGapsOptions {
  /** Longer think time is cut to this. Default 1000 ms. */
  readonly thinkTimeCapMs?: number;
  /** Inputs never follow each other faster; QEMU holds each key for 10 ms. Default 12 ms. */
  readonly minGapMs?: number;
  /** An anchor is given up after this and four times the recorded gap, where the guest gets nowhere. Default 60 s. */
  readonly ceilingMs?: number;
}

/** While an anchor is awaited, how often to look even if the screen stands still. */
const LOOK_MS = 100;
/** Below this share of a CPU the guest waits for something, or for nothing. */
const IDLE_RATE = 0.1;
/** A disk that answered within this is at work. */
const DISK_WORKS_MS = 5000;
/** A guest that gets somewhere, but not to the screen, gets this many times the ceiling. */
const PROGRESS_CEILINGS = 10;

/** How patient to be with an anchor that does not come: more while the replay is on track than after a miss. */
const onTrack = { graceMs: 2000, quietMs: 1500, cpuFactor: 1.25, cpuSlackMs: 300 };
const lost = { graceMs: 0, quietMs: 500, cpuFactor: 1, cpuSlackMs: 0 };

/**
 * Inputs at their recorded gaps, think time capped; an anchored input also waits for its screen. An anchor is missed when the whole recorded gap has
 * passed, the screen is at rest, and the guest has either done as much work as in the recording or has nothing to do.
 * So a guest that is slow gets its time, and one that went another way does not hold up the replay. Only where CPU and
 * disk get nowhere does time alone decide; every wait ends after ten times as long. After a miss
 * the recorded gaps alone lead on, without grace, until an anchor matches again.
 */
export class RecordedGaps implements PacingStrategy {
  readonly name = 'recorded-gaps';
  readonly thinkTimeCapMs: number;
  readonly #minGapMs: number;
  readonly #ceilingMs: number;
  readonly #options: RecordedGapsOptions;

  constructor(options: RecordedGapsOptions = {}) {
    this.#options = options;
    this.thinkTimeCapMs = options.thinkTimeCapMs ?? 1000;
    this.#minGapMs = options.minGapMs ?? 12;
    this.#ceilingMs = options.ceilingMs ?? 60_000;
  }

  /** The same, with think time as long as it was. */
  uncapped(): RecordedGaps {
    return new RecordedGaps({ ...this.#options, thinkTimeCapMs: Infinity });
  }

  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision {
    // How long something is held is meant: a cap would turn a long press into a short one.
    const wantedMs = step.holding ? step.gapMs : Math.min(step.gapMs, this.thinkTimeCapMs);
    const dueMs = Math.max(this.#minGapMs, wantedMs);
    if (evidence.sinceInputMs < dueMs)
      return { action: 'wait', atMostMs: dueMs - evidence.sinceInputMs };
    if (!step.anchored || evidence.screenMatches) return { action: 'inject' };
    const reason = this.#giveUp(step, evidence);
    return reason === undefined
      ? { action: 'wait', atMostMs: LOOK_MS }
      : { action: 'miss', reason };
  }

  #giveUp(step: PacingStep, evidence: PacingEvidence): string | undefined {
    const patience = evidence.misses > 0 ? lost : onTrack;
    const waitedMs = evidence.sinceInputMs;
    const worked =
      evidence.cpuSinceAnchorMs >= patience.cpuFactor * step.recordedCpuMs + patience.cpuSlackMs;
    const idle = evidence.cpuRate !== undefined && evidence.cpuRate < IDLE_RATE;
    const atRest = evidence.screenQuietMs >= patience.quietMs;
    if (waitedMs >= step.gapMs + patience.graceMs && atRest && (worked || idle)) {
      return idle
        ? 'another screen, and the guest is idle'
        : 'another screen, and the guest has done the recorded work';
    }
    const overworked = evidence.cpuSinceAnchorMs >= 2 * step.recordedCpuMs + 1000;
    if (waitedMs >= 2 * step.gapMs + onTrack.graceMs && overworked)
      return 'a screen that does not come to rest';
    const ceilingMs = this.#ceilingMs + 4 * step.gapMs;
    const patienceMs = getsSomewhere(evidence) ? PROGRESS_CEILINGS * ceilingMs : ceilingMs;
    return waitedMs >= patienceMs ? 'the recorded screen did not come in time' : undefined;
  }
}

function getsSomewhere({ cpuRate = 0, diskQuietMs = Infinity }: PacingEvidence): boolean {
  return cpuRate >= IDLE_RATE || diskQuietMs < DISK_WORKS_MS;
}
