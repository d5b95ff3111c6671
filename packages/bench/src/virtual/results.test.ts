import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { appendRun, readRuns, summarize, type VirtualRun } from './results.js';

const run = (change: Partial<VirtualRun>): VirtualRun => ({
  ...{ name: 'edit', run: 1, kind: 'virtual', loaded: false, cpuSeconds: 10, sessionSeconds: 90 },
  ...change,
});

describe('the results of runs in virtual time', () => {
  test('go on where an interrupted benchmark was, a torn line left out', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reprise-results-'));
    const file = join(directory, 'runs');
    try {
      expect(await readRuns(file)).toEqual([]);
      await appendRun(file, run({ run: 1 }));
      await appendRun(file, run({ run: 2 }));
      await writeFile(file, '{"name":"ed', { flag: 'a' });
      expect((await readRuns(file)).map((one) => one.run)).toEqual([1, 2]);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  test('count what was identical, and compare CPU time with plain emulation', () => {
    const summary = summarize('edit', [
      run({ identical: true, bytesTotal: 5000, ship: 9, cpuSeconds: 11 }),
      run({ run: 2, identical: false, bytesTotal: 7000, loaded: true, cpuSeconds: 50 }),
      run({ kind: 'plain', cpuSeconds: 10 }),
      run({ name: 'terminal', identical: true }),
    ]);
    expect(summary).toMatchObject({
      runs: 2,
      identical: 1,
      bytesTotal: 5000,
      ship: 9,
      rsyncZ: null,
    });
    expect(summary.guestSlowdown).toBeCloseTo(0.1);
  });
});
