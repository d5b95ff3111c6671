import { describe, expect, test } from '@jest/globals';

import { inLanes } from './lanes.js';

describe('lanes', () => {
  test('work through the queue in order, no more at a time than there are', async () => {
    const began: number[] = [];
    let [running, most] = [0, 0];
    await inLanes([1, 2, 3, 4, 5], 2, async (one) => {
      began.push(one);
      most = Math.max(most, ++running);
      await Promise.resolve();
      running--;
    });
    expect(began).toEqual([1, 2, 3, 4, 5]);
    expect(most).toBe(2);
  });

  test('begin nothing after a failure, and let what runs come to its end', async () => {
    let ended = false;
    const began: number[] = [];
    const working = inLanes([1, 2, 3, 4], 2, async (one) => {
      began.push(one);
      if (one === 1) throw new Error('rain');
      await new Promise((resolve) => setTimeout(resolve, 10));
      ended = true;
    });
    await expect(working).rejects.toThrow('rain');
    expect(ended).toBe(true);
    expect(began).toEqual([1, 2]);
  });
});
