import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { remainingSeconds, stopReplayBecause, type RaceFacts } from './race-model.js';

const facts = (o: Partial<RaceFacts> = {}): RaceFacts => ({
  ...{ optimize: 'time', savedBytes: 1_000_000, aheadBytes: 0, bytesPerSecond: 100_000 },
  ...{ elapsedSeconds: 10, plannedSeconds: 20, done: 0.5, silentSeconds: 0 },
  ...o,
});

describe('whether a replay is worth waiting for', () => {
  test('while what it saves takes the link longer than it still needs', () => {
    // Another 10 s of replay, against 10 s of link.
    expect(stopReplayBecause(facts())).toBeUndefined();
    expect(stopReplayBecause(facts({ bytesPerSecond: 200_000 }))).toMatch(/another 10 s .* 5 s/);
  });

  test('not against what has to go over the link in any case', () => {
    const busy = facts({ bytesPerSecond: 200_000, aheadBytes: 2_000_000 });
    expect(stopReplayBecause(busy)).toBeUndefined();
  });

  test('for bytes, however long it takes, as long as it does not hang', () => {
    const slow = facts({ optimize: 'bytes', bytesPerSecond: 1e9, done: 0.01, silentSeconds: 60 });
    expect(stopReplayBecause(slow)).toBeUndefined();
    expect(stopReplayBecause({ ...slow, silentSeconds: 200, elapsedSeconds: 210 })).toMatch(
      'nothing was replayed for 200 s',
    );
  });

  test('on a link that nobody knows anything about, as long as it does not hang', () => {
    expect(stopReplayBecause(facts({ bytesPerSecond: undefined, done: 0.01 }))).toBeUndefined();
  });

  test('one that hangs is given up sooner or later, whatever it had promised', () => {
    const anyFacts = fc.record({
      optimize: fc.constantFrom('bytes' as const, 'time' as const),
      savedBytes: fc.nat(1e9),
      aheadBytes: fc.nat(1e9),
      bytesPerSecond: fc.option(fc.integer({ min: 1, max: 1e9 }), { nil: undefined }),
      elapsedSeconds: fc.nat(1000),
      plannedSeconds: fc.nat(1000),
      done: fc.double({ min: 0, max: 1, noNaN: true }),
      silentSeconds: fc.nat(1000),
    });
    fc.assert(
      fc.property(anyFacts, (any) => {
        expect(remainingSeconds(any)).toBeGreaterThanOrEqual(0);
        const hangs = { ...any, silentSeconds: 1e5, elapsedSeconds: 1e5 };
        expect(stopReplayBecause(hangs)).toBeDefined();
      }),
    );
  });
});
