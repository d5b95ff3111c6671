import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { openStore } from '../snapshot/index.js';
import { bootTiny, emptyPair, seedTo, session, VM, type Pair } from '../testing/tiny-pair.js';

import { migrate } from './index.js';

const FAST_LINK = 12_500_000;
const THIN_LINK = 20_000;

describe('a replay that shipping outruns', () => {
  let pair: Pair;

  beforeAll(async () => {
    pair = await emptyPair();
    await bootTiny(pair.here.home);
    await seedTo(pair.here, pair.there);
  });

  afterAll(async () => {
    await pair[Symbol.asyncDispose]();
  });

  test('is stopped where time counts, and the state arrives all the same', async () => {
    const { here, there } = pair;
    const lines = Array.from(
      { length: 12 },
      (_, i) => `echo a line of some length, the ${String(i)}`,
    );
    await session(here.home, [...lines, 'seq 1 3000 > numbers; sync']);
    const outcome = await migrate({
      ...{ home: here.home, name: VM, destination: there.address, bytesPerSecond: FAST_LINK },
      ...{ strategy: 'replay', resume: false, optimize: 'time' },
    });
    if (outcome.kind !== 'migrated') throw new Error(`it ended as ${outcome.kind}`);
    expect(outcome.report.replay?.outcome).toBe('aborted');
    expect(outcome.report.notes).toContainEqual(expect.stringContaining('The replay was stopped'));
    await using store = await openStore({ home: there.home });
    expect((await store.head(VM))?.root).toBe(outcome.report.target);
  });

  test('and one whose fronts meet is ended by the replay: what that produced is not shipped', async () => {
    const { here, there } = pair;
    // Little work that makes much of what neither the base holds nor compresses well.
    const made = ['b-za', 'c-zab', 'd-zabc', 'e-zabcd'].map(
      (letters, i) => `tr a-z ${letters} < /bin/busybox > copy${String(i)}`,
    );
    await session(there.home, [...made, 'sync', 'ls -l']);
    const outcome = await migrate({
      ...{ home: there.home, name: VM, destination: here.address, bytesPerSecond: THIN_LINK },
      ...{ strategy: 'replay', resume: false, optimize: 'time' },
    });
    if (outcome.kind !== 'migrated') throw new Error(`it ended as ${outcome.kind}`);
    const { report } = outcome;
    expect(report.replay?.outcome).toBe('complete');
    const last = report.race?.at(-1);
    // Both fronts have moved, and neither did the work of the other.
    expect(last?.replayed).toBeGreaterThan(50);
    expect(last?.shipped).toBeGreaterThan(0);
    expect(report.pages.disk.replay).toBeGreaterThanOrEqual(50);
    await using store = await openStore({ home: here.home });
    expect((await store.head(VM))?.root).toBe(report.target);
  });
});
