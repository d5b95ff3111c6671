import { setImmediate as turn } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { runJobs } from './job-queue.js';

describe('the queue of jobs', () => {
  /** Runs jobs of these sizes and tells the most that ran, and the most memory taken, at once. */
  async function peakOf(sizes: readonly number[], lanes: number, memoryMiB: number) {
    const now = { jobs: 0, MiB: 0 };
    const peak = { jobs: 0, MiB: 0, done: 0 };
    const jobs = sizes.map((needsMiB) => ({
      needsMiB,
      run: async () => {
        now.jobs++;
        now.MiB += needsMiB;
        peak.jobs = Math.max(peak.jobs, now.jobs);
        peak.MiB = Math.max(peak.MiB, now.MiB);
        for (let i = 0; i < 5; i++) await turn();
        now.jobs--;
        now.MiB -= needsMiB;
        peak.done++;
      },
    }));
    await runJobs(jobs, { lanes, memoryMiB });
    return peak;
  }

  test('fills its lanes and no more', async () => {
    expect(await peakOf([1, 1, 1, 1, 1], 2, 100)).toEqual({ jobs: 2, MiB: 2, done: 5 });
  });

  test('stays within the memory', async () => {
    expect(await peakOf([60, 60, 30, 30], 2, 100)).toMatchObject({ MiB: 90, done: 4 });
  });

  test('runs what needs more than everything alone', async () => {
    expect(await peakOf([10, 500, 10], 3, 100)).toEqual({ jobs: 1, MiB: 500, done: 3 });
  });

  test('starts nothing after a failure, and waits for what runs', async () => {
    const done: string[] = [];
    const jobs = [
      { needsMiB: 1, run: () => Promise.reject(new Error('broken')) },
      { needsMiB: 1, run: async () => void (await turn(), await turn(), done.push('beside')) },
      { needsMiB: 1, run: () => Promise.resolve(void done.push('after')) },
    ];
    await expect(runJobs(jobs, { lanes: 2, memoryMiB: 9 })).rejects.toThrow('broken');
    expect(done).toEqual(['beside']);
  });
});
