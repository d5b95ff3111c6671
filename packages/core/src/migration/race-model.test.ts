import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { stopReplayBecause, type RaceFacts } from './race-model.js';

const underWay: RaceFacts = {
  optimize: 'time',
  shipped: false,
  plannedSeconds: 20,
  silentSeconds: 1,
  ...{ done: 0.4, matched: 0.3, missesInARow: 0 },
  stakes: { savesBytes: 100_000, askingBytes: 20_000 },
};

describe('whether a replay is waited for', () => {
  test('goes on while there is something to ship, however slow it is', () => {
    expect(stopReplayBecause(underWay)).toBeUndefined();
    expect(stopReplayBecause({ ...underWay, silentSeconds: 100 })).toBeUndefined();
  });

  test('ends when everything is shipped, where time counts', () => {
    expect(stopReplayBecause({ ...underWay, shipped: true })?.because).toContain('shipping');
    expect(stopReplayBecause({ ...underWay, shipped: true, optimize: 'bytes' })).toBeUndefined();
  });

  test('ends when it hangs, whatever counts', () => {
    for (const optimize of ['bytes', 'time'] as const) {
      const facts = { ...underWay, optimize, silentSeconds: 181 };
      expect(stopReplayBecause(facts)?.because).toContain('181 s');
      expect(stopReplayBecause({ ...facts, plannedSeconds: 60 })).toBeUndefined();
    }
  });

  describe('that misses its screens, where bytes count,', () => {
    const lost: RaceFacts = { ...underWay, optimize: 'bytes' };

    test('goes on while it can be expected to save more than it costs: a number on the screen hides some', () => {
      for (const missesInARow of [2, 5, 12])
        expect(stopReplayBecause({ ...lost, missesInARow })).toBeUndefined();
    });

    test('is stopped, and kept, when only what it has produced is worth something', () => {
      const facts = { ...lost, missesInARow: 40 };
      expect(stopReplayBecause(facts)).toMatchObject({ keep: true });
      expect(stopReplayBecause(facts)?.because).toContain('40 recorded screens');
    });

    test('is dropped when even asking costs more: it went another way at once', () => {
      const facts = { ...lost, matched: 0.01, done: 0.6, missesInARow: 18 };
      expect(stopReplayBecause(facts)).toMatchObject({ keep: false });
    });

    test('never with less to show for than one that is further on the right way', () => {
      const fact = fc.record({
        done: fc.double({ min: 0, max: 1, noNaN: true }),
        matched: fc.double({ min: 0, max: 1, noNaN: true }),
        missesInARow: fc.nat(60),
        stakes: fc.record({ savesBytes: fc.nat(1_000_000), askingBytes: fc.nat(100_000) }),
      });
      fc.assert(
        fc.property(fact, (some) => {
          const facts = { ...lost, ...some, matched: some.done * some.matched };
          const onTrack = { ...facts, missesInARow: 0, matched: facts.done };
          expect(stopReplayBecause(onTrack)).toBeUndefined();
          if (stopReplayBecause(facts) === undefined)
            expect(
              stopReplayBecause({ ...facts, missesInARow: facts.missesInARow >> 1 }),
            ).toBeUndefined();
        }),
      );
    });

    test('is waited for when the operator asked for it by name', () => {
      const facts = { ...lost, matched: 0.01, done: 0.6, missesInARow: 18 };
      expect(stopReplayBecause({ ...facts, stakes: undefined })).toBeUndefined();
    });

    test('is waited for where time counts: what it misses is shipped meanwhile', () => {
      expect(stopReplayBecause({ ...lost, optimize: 'time', missesInARow: 50 })).toBeUndefined();
    });
  });
});
