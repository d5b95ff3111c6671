import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { openStore } from '../snapshot/index.js';
import { bootTiny, emptyPair, seedTo, session, VM, type Pair } from '../testing/tiny-pair.js';

import { migrate } from './index.js';

const FAST_LINK = 12_500_000;

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
});
