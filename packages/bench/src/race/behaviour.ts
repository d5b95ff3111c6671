import {
  ByEvidence,
  type InputLog,
  type PacingDecision,
  type PacingEvidence,
  type PacingStep,
  type PacingStrategy,
  type ReplayTrial,
} from '@reprise/core';

/** How a replay is made to behave, at the destination. */
export const behaviours = ['normal', 'fast', 'slow', 'diverging', 'hanging'] as const;
export type Behaviour = (typeof behaviours)[number];

/** Of a slow replay, between two inputs; of a hanging one, where it stops. */
const SLOW_GAP_MS = 600;
const HANGS_AT_SHARE = 0.5;
const FOREVER_MS = 60_000;

const FAST_LOOK_MS = 3;

const RETURN = 0xff0d;

export function trialOf(behaviour: Behaviour): ReplayTrial {
  switch (behaviour) {
    case 'normal':
      return {};
    case 'fast':
      return { pacing: new FastPacing() };
    case 'slow':
      return { pacing: new SlowPacing() };
    case 'diverging':
      return { rewrite: withoutFirstLetters };
    case 'hanging':
      return trialThatHangs();
  }
}

/**
 * No time to ponder: an input goes in as soon as the guest has had a moment with nothing to do and, with an anchor, shows the
 * screen. After a miss as by evidence.
 */
class FastPacing implements PacingStrategy {
  readonly name = 'fast';
  readonly #evidence = new ByEvidence();

  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision {
    const { cpuIdleMs, screenMatches, misses } = evidence;
    const isReady = cpuIdleMs !== undefined && cpuIdleMs >= (step.anchored ? 15 : 3);
    if (misses === 0 && !step.tempo && isReady && (!step.anchored || screenMatches))
      return { action: 'inject' };
    const decision = this.#evidence.decide(step, evidence);
    return decision.action === 'wait'
      ? { action: 'wait', atMostMs: Math.min(decision.atMostMs, FAST_LOOK_MS) }
      : decision;
  }
}

/** As by evidence, and no input sooner than after a long pause. */
class SlowPacing implements PacingStrategy {
  readonly name = 'slow';
  readonly #evidence = new ByEvidence();

  decide(step: PacingStep, evidence: PacingEvidence): PacingDecision {
    const missing = SLOW_GAP_MS - evidence.sinceInputMs;
    if (missing > 0) return { action: 'wait', atMostMs: missing };
    return this.#evidence.decide(step, evidence);
  }
}

/** Half of the input goes in, and then nothing more ever happens. */
function trialThatHangs(): ReplayTrial {
  let hangsAt = Infinity;
  const byEvidence = new ByEvidence();
  return {
    rewrite: (log) => {
      hangsAt = Math.floor(HANGS_AT_SHARE * log.events.length);
      return log;
    },
    pacing: {
      name: 'hanging',
      decide: (step, evidence) =>
        step.index >= hangsAt
          ? { action: 'wait', atMostMs: FOREVER_MS }
          : byEvidence.decide(step, evidence),
    },
  };
}

/** The first key of every line is missing, so that each command is another one, or none. */
export function withoutFirstLetters(log: InputLog): InputLog {
  let isFirst = true;
  const left = new Set<number>();
  const events = log.events.filter(({ event }) => {
    if (event.kind !== 'key') return true;
    if (!event.down) return !left.delete(event.keysym);
    if (event.keysym === RETURN) {
      isFirst = true;
      return true;
    }
    if (!isFirst || event.keysym > 0xff) return true;
    isFirst = false;
    left.add(event.keysym);
    return false;
  });
  return { ...log, events };
}
