import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { PacingEvidence, PacingStep } from './pacing.js';
import { RecordedGaps } from './recorded-gaps.js';

const pacing = new RecordedGaps({ thinkTimeCapMs: 1000, minGapMs: 12, ceilingMs: 60_000 });

const step = (o: Partial<PacingStep> = {}): PacingStep => ({
  index: 3,
  gapMs: 200,
  anchored: false,
  recordedCpuMs: 0,
  holding: false,
  tempo: false,
  ...o,
});

const seen = (o: Partial<PacingEvidence> = {}): PacingEvidence => ({
  sinceInputMs: 0,
  screenMatches: false,
  screenQuietMs: 0,
  cpuSinceAnchorMs: 0,
  cpuRate: undefined,
  cpuIdleMs: undefined,
  diskQuietMs: undefined,
  misses: 0,
  ...o,
});

describe('pacing by the recorded gaps', () => {
  test('keeps a gap, caps think time, and never goes below what a keyboard queue takes', () => {
    expect(pacing.decide(step(), seen({ sinceInputMs: 150 }))).toEqual({
      action: 'wait',
      atMostMs: 50,
    });
    expect(pacing.decide(step(), seen({ sinceInputMs: 200 }))).toEqual({ action: 'inject' });
    expect(pacing.decide(step({ gapMs: 90_000 }), seen({ sinceInputMs: 1000 }))).toEqual({
      action: 'inject',
    });
    expect(pacing.decide(step({ gapMs: 0 }), seen({ sinceInputMs: 5 }))).toEqual({
      action: 'wait',
      atMostMs: 7,
    });
  });

  test('keeps a long press as long as it was', () => {
    const long = step({ gapMs: 3000, holding: true });
    expect(pacing.decide(long, seen({ sinceInputMs: 1000 }))).toEqual({
      action: 'wait',
      atMostMs: 2000,
    });
  });

  test('waits for the recorded screen, and no longer than that', () => {
    const anchored = step({ anchored: true, recordedCpuMs: 500 });
    expect(pacing.decide(anchored, seen({ sinceInputMs: 300 })).action).toBe('wait');
    expect(pacing.decide(anchored, seen({ sinceInputMs: 300, screenMatches: true })).action).toBe(
      'inject',
    );
  });

  test('gives a slow guest its time: not before it has done the recorded work, however long that takes', () => {
    const compile = step({ anchored: true, gapMs: 10_000, recordedCpuMs: 9000 });
    const starved = { screenQuietMs: 20_000, cpuRate: 0.3 };
    expect(
      pacing.decide(compile, seen({ ...starved, sinceInputMs: 40_000, cpuSinceAnchorMs: 8000 }))
        .action,
    ).toBe('wait');
    expect(
      pacing.decide(compile, seen({ ...starved, sinceInputMs: 41_000, cpuSinceAnchorMs: 12_000 }))
        .action,
    ).toBe('miss');
  });

  test('time alone gives an anchor up only where CPU and disk get nowhere', () => {
    const build = step({ anchored: true, gapMs: 1000, recordedCpuMs: 90_000 });
    const scrolls = { sinceInputMs: 64_000, cpuSinceAnchorMs: 20_000, cpuRate: 0.3 };
    expect(pacing.decide(build, seen(scrolls)).action).toBe('wait');
    const idle = { ...scrolls, cpuRate: 0.02 };
    expect(pacing.decide(build, seen({ ...idle, diskQuietMs: 800 })).action).toBe('wait');
    expect(pacing.decide(build, seen({ ...idle, diskQuietMs: 8000 })).action).toBe('miss');
    expect(pacing.decide(build, seen({ ...scrolls, sinceInputMs: 640_000 })).action).toBe('miss');
  });

  test('does not hold up the replay for a guest that has nothing to do and shows something else', () => {
    const anchored = step({ anchored: true, gapMs: 10_000, recordedCpuMs: 9000 });
    const idle = { screenQuietMs: 5000, cpuRate: 0.02, cpuSinceAnchorMs: 100 };
    expect(pacing.decide(anchored, seen({ ...idle, sinceInputMs: 9000 })).action).toBe('wait');
    expect(pacing.decide(anchored, seen({ ...idle, sinceInputMs: 12_100 })).action).toBe('miss');
  });

  test('after a miss the recorded gap leads on without grace, and a match leads back', () => {
    const anchored = step({ anchored: true, gapMs: 2000, recordedCpuMs: 100 });
    const after = { misses: 1, screenQuietMs: 600, cpuSinceAnchorMs: 150, sinceInputMs: 2000 };
    expect(pacing.decide(anchored, seen(after)).action).toBe('miss');
    expect(pacing.decide(anchored, seen({ ...after, misses: 0 })).action).toBe('wait');
    expect(
      pacing.decide(anchored, seen({ misses: 5, sinceInputMs: 1000, screenMatches: true })).action,
    ).toBe('inject');
  });

  test('every wait comes to an end, whatever the guest does, and no wait is longer than what is left of the gap', () => {
    const anyStep = fc.record({
      index: fc.nat(),
      gapMs: fc.nat(100_000),
      anchored: fc.boolean(),
      recordedCpuMs: fc.nat(1_000_000),
      holding: fc.boolean(),
      tempo: fc.boolean(),
    });
    const anyEvidence = fc.record({
      sinceInputMs: fc.nat(1_000_000),
      screenMatches: fc.boolean(),
      screenQuietMs: fc.nat(100_000),
      cpuSinceAnchorMs: fc.nat(100_000),
      cpuRate: fc.option(fc.float({ min: 0, max: 2, noNaN: true }), { nil: undefined }),
      misses: fc.nat(5),
      cpuIdleMs: fc.constant(undefined),
      diskQuietMs: fc.constant(undefined),
    });
    fc.assert(
      fc.property(anyStep, anyEvidence, (some, evidence) => {
        const decision = pacing.decide(some, evidence);
        if (decision.action === 'wait') {
          expect(decision.atMostMs).toBeGreaterThan(0);
          expect(decision.atMostMs).toBeLessThanOrEqual(Math.max(some.gapMs, 100));
        }
        expect(
          pacing.decide(some, { ...evidence, sinceInputMs: 600_000 + 40 * some.gapMs }).action,
        ).not.toBe('wait');
      }),
    );
  });
});
