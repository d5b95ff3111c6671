import { describe, expect, test } from '@jest/globals';

import { stopReplayBecause, type RaceFacts } from './race-model.js';

const underWay: RaceFacts = {
  optimize: 'time',
  shipped: false,
  plannedSeconds: 20,
  silentSeconds: 1,
};

describe('whether a replay is waited for', () => {
  test('goes on while there is something to ship, however slow it is', () => {
    expect(stopReplayBecause(underWay)).toBeUndefined();
    expect(stopReplayBecause({ ...underWay, silentSeconds: 100 })).toBeUndefined();
  });

  test('ends when everything is shipped, where time counts', () => {
    expect(stopReplayBecause({ ...underWay, shipped: true })).toContain('shipping');
    expect(stopReplayBecause({ ...underWay, shipped: true, optimize: 'bytes' })).toBeUndefined();
  });

  test('ends when it hangs, whatever counts', () => {
    for (const optimize of ['bytes', 'time'] as const) {
      const facts = { ...underWay, optimize, silentSeconds: 181 };
      expect(stopReplayBecause(facts)).toContain('181 s');
      expect(stopReplayBecause({ ...facts, plannedSeconds: 60 })).toBeUndefined();
    }
  });
});
