import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import {
  appendResult,
  readResults,
  type FailedRun,
  type SlowdownPair,
  type VirtualRun,
} from './results.js';
import { virtualSessionNamed } from './sessions.js';
import { summarize } from './summary.js';
import { verdictsOf } from './verdicts.js';

const run = (change: Partial<VirtualRun>): VirtualRun => ({
  ...{ kind: 'virtual', subject: 's', session: 'edit', run: 1, loaded: false, alone: false },
  ...{ sessionSeconds: 100, wallSeconds: 100, cpuSeconds: 20, lagSeconds: 0, replaySeconds: 30 },
  ...{ diskRequests: 10, diskSeconds: 0.1, exact: true, compared: false, notes: [], frames: 0 },
  ...{ bytesTotal: 5000, log: 1, device: 2, digests: 3, control: 4 },
  ...change,
});
const pair = (virtualSeconds: number, plainSeconds: number): SlowdownPair => ({
  ...{ kind: 'slowdown', subject: 's', session: 'edit', run: 1, virtualSeconds, plainSeconds },
  ...{ virtualVcpuSeconds: virtualSeconds, plainVcpuSeconds: plainSeconds },
});
const failed: FailedRun = {
  kind: 'failed',
  of: 'virtual',
  subject: 's',
  session: 'edit',
  run: 2,
  because: 'rain',
};

function brokenPromises(name: string, lines: Parameters<typeof summarize>[1]): string[] {
  const summary = summarize(name, lines);
  if (summary === undefined) throw new Error('nothing was summarized');
  return verdictsOf(virtualSessionNamed(name), summary)
    .filter(({ holds }) => holds === false)
    .map(({ promise }) => promise);
}

describe('the results of runs in virtual time', () => {
  test('go on where an interrupted benchmark was, a torn line left out', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-results-'));
    const file = join(directory, 'runs');
    try {
      expect(await readResults(file)).toEqual([]);
      await appendResult(file, run({ run: 1 }));
      await appendResult(file, run({ run: 2 }));
      await writeFile(file, '{"session":"ed', { flag: 'a' });
      expect((await readResults(file)).map((one) => one.run)).toEqual([1, 2]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('count what was identical, and compare CPU time pair by pair', () => {
    const summary = summarize('edit', [
      run({ ship: 9 }),
      run({ run: 2, exact: false, bytesTotal: 7000, loaded: true }),
      run({ session: 'terminal' }),
      ...[pair(11, 10), pair(21, 20), pair(60, 50)],
      { kind: 'host-clock', subject: 's', session: 'edit', run: 1, bytesTotal: 90_000 },
    ]);
    expect(summary).toMatchObject({
      ...{ runs: 2, loadedRuns: 1, identical: 1, bytesTotal: 5000, opportunistic: 90_000 },
      ...{ bytesSpread: { min: 5000, median: 5000, max: 7000 }, ship: 9, rsyncZ: null },
    });
    expect(summary?.guestSlowdown).toBeCloseTo(0.1);
    expect(summary?.slowdown?.qemu.max).toBeCloseTo(0.2);
  });

  test('of a session without a finished run say nothing', () => {
    expect(summarize('edit', [failed])).toBeUndefined();
  });
});

describe('the verdicts', () => {
  test('hold for runs that keep every promise', () => {
    expect(brokenPromises('edit', [run({ alone: true }), pair(10.5, 10)])).toEqual([]);
  });

  test.each([
    ['a replay that was not exact', [run({}), run({ run: 2, exact: false })], /bit-identical/],
    ['one run that was dear', [run({}), run({ run: 2, bytesTotal: 16_001 })], /16000 bytes/],
    ['a run that failed', [run({}), failed], /comes to an end/],
    ['a slow replay', [run({ alone: true, replaySeconds: 61 })], /half idle/],
    ['a slow guest', [run({}), pair(11.2, 10)], /slower/],
  ])('are broken by %s', (_, lines, promise) => {
    expect(brokenPromises('edit', lines)).toEqual([expect.stringMatching(promise)]);
  });

  test('leave the replay of a busy session alone, and one that had to share the host', () => {
    const slow = { replaySeconds: 90 };
    expect(brokenPromises('edit', [run({ ...slow, alone: true, cpuSeconds: 60 })])).toEqual([]);
    expect(brokenPromises('edit', [run(slow)])).toEqual([]);
  });

  test('grant a long session its frames and four kilobytes a minute', () => {
    const frames = { frames: 700_000, log: 710_000 };
    const long = run({ session: 'mixed', sessionSeconds: 1800, ...frames });
    expect(brokenPromises('mixed', [{ ...long, bytesTotal: 819_000 }])).toEqual([]);
    expect(brokenPromises('mixed', [{ ...long, bytesTotal: 821_000 }])).toHaveLength(1);
    expect(brokenPromises('mixed', [{ ...long, sessionSeconds: 900 }])).toHaveLength(1);
  });

  test('grant it no more for its frames than the compressed log that has them', () => {
    const small = { frames: 700_000, log: 200_000 };
    const long = run({ session: 'mixed', sessionSeconds: 1800, ...small });
    expect(brokenPromises('mixed', [{ ...long, bytesTotal: 319_000 }])).toEqual([]);
    expect(brokenPromises('mixed', [{ ...long, bytesTotal: 321_000 }])).toHaveLength(1);
  });
});
