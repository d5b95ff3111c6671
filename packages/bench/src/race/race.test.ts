import { describe, expect, test } from '@jest/globals';

import { withoutFirstLetters } from './behaviour.js';
import { racePlot } from './race-plot.js';
import { raceTable } from './race-table.js';
import { describeCase, type RaceTrial } from './results.js';

const trial = (kind: RaceTrial['kind'], change: Partial<RaceTrial> = {}): RaceTrial => ({
  ...{ session: 'copies', recording: 'r', build: 'b', link: '1mbit', kind },
  ...{ replay: kind === 'race' || kind === 'replay' ? 'fast' : null, seconds: 20 },
  ...{ bytes: 1_000_000, logBytes: 0, digestBytes: 0, strategy: 'ship', outcome: null },
  ...change,
});
const fronts = [
  { ms: 0, shipped: 0, replayed: 0, blocks: 100, bytes: 0, done: 0 },
  { ms: 9000, shipped: 40, replayed: 55, blocks: 100, bytes: 500_000, done: 1 },
];
const race = { strategy: 'replay', outcome: 'complete', fronts };
const trials = [
  trial('ship-time'),
  trial('ship-bytes', { link: '100mbit' }),
  trial('replay', { ...race, seconds: 12, bytes: 1_000_700, logBytes: 400, digestBytes: 300 }),
  ...[12.4, 13, 11].map((seconds) => trial('race', { ...race, seconds })),
];
const described = (of: readonly RaceTrial[], replay: 'fast' | 'hanging' = 'fast') => {
  const one = describeCase(of, 'copies', '1mbit', replay);
  if (one === undefined) throw new Error('no case');
  return one;
};

describe('the race benchmark', () => {
  test('compares the median race with the faster one alone, and bytes with their bound', () => {
    expect(described(trials)).toMatchObject({
      ...{ seconds: 12.4, secondsSpread: { min: 11, max: 13 }, repeats: 3 },
      ...{ shipSeconds: 20, replaySeconds: 12, bytes: 1_000_700, bytesBound: 1_000_700 },
      verdicts: { time: 'holds', bytes: 'holds' },
    });
    const slower = trials.map((one) => (one.kind === 'race' ? { ...one, seconds: 12.7 } : one));
    expect(described(slower).verdicts.time).toBe('fails');
    const more = trials.map((one) => (one.kind === 'replay' ? { ...one, bytes: 1_000_701 } : one));
    expect(described(more).verdicts.bytes).toBe('fails');
  });

  test('compares the time with shipping alone where the replay hangs, but not the bytes', () => {
    const hanging = trials.map((one) =>
      one.replay === null ? one : ({ ...one, replay: 'hanging', seconds: 20.5 } as const),
    );
    expect(described(hanging, 'hanging')).toMatchObject({
      ...{ replaySeconds: null, timeRatioToBest: 1.025 },
      verdicts: { time: 'holds', bytes: 'holds' },
    });
  });

  test('says nothing of a case before there is a race, and leaves open what is not measured', () => {
    expect(describeCase(trials.slice(0, 3), 'copies', '1mbit', 'fast')).toBeUndefined();
    const few = trials.filter(({ kind }) => kind === 'race' || kind === 'ship-time');
    expect(described(few).verdicts).toEqual({ time: 'open', bytes: 'open' });
  });

  test('shows times, ratios and what decided', () => {
    const [, row] = raceTable({
      ...{ version: 2, build: 'b', cases: [described(trials)], trials },
    }).split('\n');
    expect(row).toMatch(
      /1mbit +fast +20\.0 s +12\.0 s +12\.4 s \(11\.0 - 13\.0; replay, complete\) +1\.03 +1000700 \/ 1000700 +holds +holds/,
    );
  });

  test('draws both fronts, the one from above and the other from below', () => {
    const plot = racePlot({ cases: [described(trials)] });
    const curves = [...plot.matchAll(/points="([^"]*)"/g)].map(([, points]) =>
      (points ?? '').split(' ').map((point) => point.split(',').map(Number)),
    );
    const [shipped, replayed] = curves;
    expect(shipped?.[0]?.[1]).toBeLessThan(shipped?.[1]?.[1] ?? 0);
    expect(replayed?.[0]?.[1]).toBeGreaterThan(replayed?.[1]?.[1] ?? Infinity);
  });

  test('says why a panel has no fronts', () => {
    const shipped = trials.map((one) =>
      one.kind === 'race' ? trial('race', { strategy: 'ship' }) : one,
    );
    const plot = racePlot({ cases: [described(shipped)] });
    expect(plot).toContain('no race: the plan shipped');
    expect(plot).not.toContain('<polyline');
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
