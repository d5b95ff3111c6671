import type { InputLog } from './input-event.js';
import type { PacingDecision, PacingEvidence, PacingStep, PacingStrategy } from './pacing.js';
import { cpuIdle, diskQuiet, screenQuiet, workDone, type ReadinessSign } from './readiness.js';
import { RecordedGaps } from './recorded-gaps.js';
import { TAP_MS } from './taps.js';

export interface ByEvidenceOptions {
  /** All that can be told must hold. Default: CPU idle, disk quiet, screen quiet, recorded work done. */
  readonly signs?: readonly ReadinessSign[];
  /**
   * What is waited for where the signs cannot be told, and after a miss. Default: the recorded gaps, think time cut to 1 s. Where a sign
   * tells that the guest is not ready, it is asked without its cut.
   */
  readonly fallback?: RecordedGaps;
  /** Inputs never follow each other faster. Default 15 ms. */
  readonly minGapMs?: number;
  /** A gap that the guest may read is kept up to this. Default 1000 ms. */
  readonly tempoCapMs?: number;
}

/** Before an input that matters the guest gets this long, if the user did: a window may still come by itself. */
const PONDER_MS = 250;
/** How often to look while the signs are awaited. */
const LOOK_MS = 10;

/**
 * Inputs as soon as the guest is ready for them: think time is for the user, not for the guest. An input goes in when every sign of readiness that
 * can be told holds, and, with an anchor, the recorded screen is there; at the latest when the recorded gap has
 * passed (and, with an anchor, as the fallback decides). A silent job leaves the screen as it is: while a sign says that the guest is at
 * work, the gap is not cut. After a missed anchor the signs are not trusted to shorten anything: the
 * fallback leads, until an anchor matches again.
 */
export class ByEvidence implements PacingStrategy {
  readonly name = 'evidence';
  readonly #signs: readonly ReadinessSign[];
  readonly #fallback: RecordedGaps;
  readonly #uncapped: RecordedGaps;
  readonly #minGapMs: number;
  readonly #tempoCapMs: number;

  constructor(options: ByEvidenceOptions = {}) {
    this.#signs = options.signs ?? [cpuIdle, diskQuiet, screenQuiet, workDone];
    this.#fallback = options.fallback ?? new RecordedGaps();
    this.#uncapped = this.#fallback.uncapped();
    this.#minGapMs = options.minGapMs ?? 15;
    this.#tempoCapMs = options.tempoCapMs ?? 1000;
  }

  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision {
    const told = this.#signs.flatMap((sign) => sign.holds(step, evidence) ?? []);
    const atWork = told.includes(false);
    const fallback = atWork ? this.#uncapped : this.#fallback;
    if (evidence.misses > 0) return fallback.decide(step, evidence);
    const dueMs = this.#dueMs(step);
    const { sinceInputMs } = evidence;
    if (sinceInputMs < dueMs) return { action: 'wait', atMostMs: dueMs - sinceInputMs };
    // Of a guest that shows nothing, nothing is known.
    const isReady = told.length > 0 && !atWork;
    if (isReady && (!step.anchored || evidence.screenMatches)) return { action: 'inject' };
    const decision = fallback.decide(step, evidence);
    if (decision.action !== 'wait') return decision;
    return { action: 'wait', atMostMs: Math.min(decision.atMostMs, LOOK_MS) };
  }

  /** The least that an input waits, whatever the guest shows. */
  #dueMs({ gapMs, anchored, holding, tempo }: PacingStep): number {
    if (holding && gapMs > TAP_MS) return gapMs;
    if (tempo) return Math.max(this.#minGapMs, Math.min(gapMs, this.#tempoCapMs));
    return Math.max(this.#minGapMs, anchored ? Math.min(gapMs, PONDER_MS) : 0);
  }
}

/** Per input: between what was measured on a host with little to do and on a loaded one, see docs/replay.md. */
const PER_INPUT_MS = 40;

/** About how long `log` takes to replay: its inputs, and the guest's work between its anchors. For the plan. */
export function estimateReplayMs(log: InputLog): number {
  let totalMs = 0;
  let previousMs = 0;
  let cpuMs = 0;
  for (const { atMs, anchor } of [...log.events, ...(log.end === undefined ? [] : [log.end])]) {
    const gapMs = atMs - previousMs;
    const workMs = anchor === undefined ? 0 : Math.max(0, anchor.cpuMs - cpuMs);
    cpuMs = anchor?.cpuMs ?? cpuMs;
    totalMs += Math.min(gapMs, anchor === undefined ? PER_INPUT_MS : PONDER_MS + workMs);
    previousMs = atMs;
  }
  return totalMs;
}
