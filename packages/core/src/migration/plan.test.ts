import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { planMigration, type PlanFacts } from './plan.js';

const facts: PlanFacts = {
  wanted: 'auto',
  noReplayBecause: undefined,
  logBytes: 1_000,
  replaySeconds: 60,
  shipBytes: 500_000,
  unexplainedBytes: 400_000,
  exchangeBytes: 20_000,
  bytesPerSecond: 625_000,
};

describe('the plan', () => {
  test('replays when that is expected to save bytes', () => {
    expect(planMigration(facts)).toMatchObject({ strategy: 'replay' });
  });

  test('ships when the log and the digests would cost more than a replay saves', () => {
    expect(planMigration({ ...facts, unexplainedBytes: 50_000 })).toMatchObject({
      strategy: 'ship',
      reason: expect.stringContaining('cost 21.0 kB'),
    });
  });

  test('does what the operator asks', () => {
    expect(planMigration({ ...facts, wanted: 'ship' }).strategy).toBe('ship');
    expect(planMigration({ ...facts, unexplainedBytes: 0, wanted: 'replay' }).strategy).toBe(
      'replay',
    );
  });

  test('says why when replay is impossible, even if it was asked for', () => {
    const plan = planMigration({
      ...facts,
      wanted: 'replay',
      noReplayBecause: 'no input was recorded',
    });
    expect(plan).toMatchObject({ strategy: 'ship', reason: 'no input was recorded' });
  });

  test('where time counts, ships what is through long before a replay, and lets both race otherwise', () => {
    const fast = { ...facts, optimize: 'time' as const, bytesPerSecond: 1_000_000 };
    expect(planMigration(fast)).toMatchObject({
      strategy: 'ship',
      reason: expect.stringContaining('a replay alone 60.0 s'),
    });
    expect(planMigration({ ...fast, bytesPerSecond: 10_000 }).strategy).toBe('replay');
    expect(planMigration({ ...fast, optimize: 'bytes' }).strategy).toBe('replay');
    expect(planMigration({ ...fast, wanted: 'replay' }).strategy).toBe('replay');
  });

  test('in virtual time replays for the log alone, and says so', () => {
    const exact = { ...facts, virtualTime: { inexactBecause: undefined } };
    expect(planMigration(exact)).toMatchObject({
      strategy: 'replay',
      reason: expect.stringContaining('exact'),
      replay: { bytes: 1_000 + 4096 },
    });
  });

  test('does not promise that of a log that has not all', () => {
    const because = 'the input log does not have all the network frames that the guest got';
    const inexact = { ...facts, virtualTime: { inexactBecause: because } };
    for (const wanted of ['auto', 'replay'] as const) {
      const plan = planMigration({ ...inexact, wanted });
      expect(plan.reason).toContain(because);
      expect(plan.replay).toEqual(planMigration(facts).replay);
    }
    const plan = planMigration({ ...inexact, unexplainedBytes: 50_000 });
    expect(plan).toMatchObject({ strategy: 'ship', reason: expect.stringContaining(because) });
  });

  test('left to itself never expects to send more than shipping would', () => {
    const bytes = fc.integer({ min: 0, max: 1e9 });
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, (logBytes, exchangeBytes, ship, unexplained) => {
        const plan = planMigration({
          ...facts,
          logBytes,
          exchangeBytes,
          shipBytes: Math.max(ship, unexplained),
          unexplainedBytes: unexplained,
        });
        expect(plan[plan.strategy].bytes).toBeLessThanOrEqual(plan.ship.bytes);
      }),
    );
  });
});
