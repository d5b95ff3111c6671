import { describe, expect, test } from '@jest/globals';

import { withoutFirstLetters } from './behaviour.js';
import { racePlot } from './race-plot.js';
import { raceTable, type RaceResult } from './race-benchmark.js';

const result: RaceResult = {
  version: 1,
  cases: [
    {
      ...{ link: '1mbit', replay: 'fast', seconds: 12.5, timeRatioToBest: 1.01 },
      ...{ bytes: 400_000, bytesRatioToShipping: 0.4, strategy: 'replay', outcome: 'complete' },
      ...{ shipSeconds: 20, shipBytes: 1_000_000, replaySeconds: 12.4 },
      fronts: [
        { ms: 0, shipped: 0, replayed: 0, blocks: 100, bytes: 0, done: 0 },
        { ms: 9000, shipped: 40, replayed: 55, blocks: 100, bytes: 500_000, done: 1 },
      ],
    },
  ],
};

describe('the race benchmark', () => {
  test('shows times, ratios and what decided', () => {
    const [, row] = raceTable(result).split('\n');
    expect(row).toMatch(
      /1mbit +fast +20\.0 s +12\.4 s +12\.5 s \(replay, complete\) +1\.01 +0\.40/,
    );
  });

  test('draws both fronts, the one from above and the other from below', () => {
    const curves = [...racePlot(result).matchAll(/points="([^"]*)"/g)].map(([, points]) =>
      (points ?? '').split(' ').map((point) => point.split(',').map(Number)),
    );
    const [shipped, replayed] = curves;
    expect(shipped?.[0]?.[1]).toBeLessThan(shipped?.[1]?.[1] ?? 0);
    expect(replayed?.[0]?.[1]).toBeGreaterThan(replayed?.[1]?.[1] ?? Infinity);
  });

  test('makes a replay diverge by leaving out the first key of each line, with its release', () => {
    const key = (keysym: number, down: boolean) => ({ kind: 'key', keysym, down }) as const;
    const typed = [0x61, 0x62, 0xff0d, 0x63, 0x64].flatMap((keysym) => [
      key(keysym, true),
      key(keysym, false),
    ]);
    const log = withoutFirstLetters({
      header: { width: 1, height: 1, held: [], buttons: 0 },
      events: typed.map((event, i) => ({ atMs: 10 * i, event })),
    });
    expect(log.events.map(({ event }) => event)).toEqual(
      [0x62, 0xff0d, 0x64].flatMap((keysym) => [key(keysym, true), key(keysym, false)]),
    );
  });
});
