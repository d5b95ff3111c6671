import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ByEvidence, estimateReplayMs } from './by-evidence.js';
import type { PacingEvidence, PacingStep } from './pacing.js';
import { cpuIdle } from './readiness.js';

const pacing = new ByEvidence();

const step = (o: Partial<PacingStep> = {}): PacingStep => ({
  ...{ index: 3, gapMs: 200, anchored: false, recordedCpuMs: 0, holding: false, tempo: false },
  ...o,
});
const anchored = (o: Partial<PacingStep> = {}) => step({ anchored: true, gapMs: 60_000, ...o });

const seen = (o: Partial<PacingEvidence> = {}): PacingEvidence => ({
  ...{ sinceInputMs: 300, screenMatches: true, screenQuietMs: 5000, misses: 0 },
  ...{ cpuSinceAnchorMs: 0, cpuRate: 0.01, cpuIdleMs: 200, diskQuietMs: 200 },
  ...o,
});

describe('pacing by what the guest shows', () => {
  test('a minute of thought takes no longer than the guest needs to be seen idle on the recorded screen', () => {
    expect(pacing.decide(anchored(), seen()).action).toBe('inject');
  });

  test.each([
    ['its CPU works', { cpuIdleMs: 5 }],
    ['its disk works', { diskQuietMs: 5 }],
    ['its screen changes', { screenQuietMs: 5 }],
    ['its screen is another', { screenMatches: false }],
  ])('not while %s', (_why, evidence) => {
    expect(pacing.decide(anchored(), seen(evidence)).action).toBe('wait');
  });

  test('not before it has done the work of the recording, though it looks idle: a program may wait for its turn', () => {
    const build = anchored({ recordedCpuMs: 20_000 });
    expect(pacing.decide(build, seen({ cpuSinceAnchorMs: 2000 })).action).toBe('wait');
    expect(pacing.decide(build, seen({ cpuSinceAnchorMs: 19_000 })).action).toBe('inject');
  });

  test('what idling alone used in the recording is not waited for', () => {
    const idled = anchored({ recordedCpuMs: 2000 });
    expect(pacing.decide(idled, seen({ cpuSinceAnchorMs: 5 })).action).toBe('inject');
  });

  test('letters follow each other as fast as the guest takes them, and at the recorded gap when it never rests', () => {
    expect(pacing.decide(step(), seen({ sinceInputMs: 20, cpuIdleMs: 16 })).action).toBe('inject');
    const busy = { cpuIdleMs: 0 };
    expect(pacing.decide(step(), seen({ ...busy, sinceInputMs: 20 })).action).toBe('wait');
    expect(pacing.decide(step(), seen({ ...busy, sinceInputMs: 200 })).action).toBe('inject');
  });

  test.each([1500, 59_000])(
    'a silent job leaves the recorded screen as it is: while it works, all of the recorded gap is waited for (%d of 60,000 ms passed)',
    (sinceInputMs) => {
      const silent = anchored({ recordedCpuMs: 20_000 });
      const busy = seen({ sinceInputMs, cpuIdleMs: 0, cpuRate: 1, cpuSinceAnchorMs: 300 });
      expect(pacing.decide(silent, busy).action).toBe('wait');
      expect(pacing.decide(silent, { ...busy, misses: 2 }).action).toBe('wait');
      const asleep = seen({ sinceInputMs, cpuSinceAnchorMs: 300 });
      expect(pacing.decide(silent, asleep).action).toBe('wait');
      expect(pacing.decide(silent, { ...busy, sinceInputMs: 60_000 }).action).toBe('inject');
    },
  );

  test('after a miss, thought is cut again where no sign speaks against it', () => {
    const after = seen({ misses: 2, sinceInputMs: 1000 });
    expect(pacing.decide(anchored(), after).action).toBe('inject');
    expect(pacing.decide(anchored(), { ...after, cpuIdleMs: 0 }).action).toBe('wait');
  });

  test('of a guest that nothing can be told about, the recorded gap decides', () => {
    const dark = { cpuIdleMs: undefined, diskQuietMs: undefined };
    expect(pacing.decide(step(), seen({ ...dark, sinceInputMs: 100 })).action).toBe('wait');
    expect(pacing.decide(step(), seen({ ...dark, sinceInputMs: 200 })).action).toBe('inject');
  });

  test('a long press stays long, and what the guest measures keeps its gap', () => {
    const long = step({ holding: true, gapMs: 900 });
    expect(pacing.decide(long, seen({ sinceInputMs: 300 }))).toMatchObject({ atMostMs: 600 });
    const second = step({ tempo: true, gapMs: 700 });
    expect(pacing.decide(second, seen({ sinceInputMs: 300 }))).toMatchObject({ atMostMs: 400 });
    expect(pacing.decide(step({ holding: true, gapMs: 80 }), seen()).action).toBe('inject');
  });

  test('after a miss nothing is taken for ready before its time, until a screen matches again', () => {
    const lost = seen({ misses: 1, sinceInputMs: 300 });
    expect(pacing.decide(step({ gapMs: 800 }), lost).action).toBe('wait');
    expect(pacing.decide(step({ gapMs: 800 }), seen({ sinceInputMs: 300 })).action).toBe('inject');
  });

  test('its parts can be swapped: here the CPU alone decides', () => {
    const bold = new ByEvidence({ signs: [cpuIdle] });
    expect(bold.decide(anchored(), seen({ diskQuietMs: 0, screenQuietMs: 0 })).action).toBe(
      'inject',
    );
  });

  test('every wait ends, whatever the guest does', () => {
    const anyStep = fc.record({
      index: fc.nat(),
      gapMs: fc.nat(100_000),
      anchored: fc.boolean(),
      recordedCpuMs: fc.nat(1_000_000),
      holding: fc.boolean(),
      tempo: fc.boolean(),
    });
    const maybe = fc.option(fc.nat(100_000), { nil: undefined });
    const anyEvidence = fc.record({
      sinceInputMs: fc.nat(1_000_000),
      screenMatches: fc.boolean(),
      screenQuietMs: fc.nat(100_000),
      cpuSinceAnchorMs: fc.nat(100_000),
      cpuRate: fc.option(fc.float({ min: 0, max: 2, noNaN: true }), { nil: undefined }),
      cpuIdleMs: maybe,
      diskQuietMs: maybe,
      misses: fc.nat(5),
    });
    fc.assert(
      fc.property(anyStep, anyEvidence, (some, evidence) => {
        const decision = pacing.decide(some, evidence);
        if (decision.action === 'wait') expect(decision.atMostMs).toBeGreaterThan(0);
        const end = { ...evidence, sinceInputMs: 600_000 + 40 * some.gapMs };
        // Swapping the last part may leave only the fallback, which ends whatever it waits for.
        expect(pacing.decide(some, end).action).not.toBe('wait');
      }),
    );
  });
});

test('the estimate counts work, not thought', () => {
  const anchor = (cpuMs: number) => ({ digest: '', width: 1, height: 1, mask: [], cpuMs });
  const event = { kind: 'key', down: true, keysym: 0x61 } as const;
  const log = {
    header: { width: 1, height: 1, held: [], buttons: 0 },
    events: [
      { atMs: 1000, event },
      { atMs: 60_000, event, anchor: anchor(3000) },
    ],
    end: { atMs: 61_000, anchor: anchor(3100) },
  };
  expect(estimateReplayMs(log)).toBeGreaterThan(3000);
  expect(estimateReplayMs(log)).toBeLessThan(5000);
});
