import { describe, expect, test } from '@jest/globals';

import { worthMerging } from './content-index.js';

const LIMIT = 128;

/** Adds segments of `size` one after the other, merging beyond `keep`; how many are left, and what was copied. */
function grow(
  initial: readonly number[],
  rounds: number,
  size: number,
): { sizes: number[]; copied: number } {
  const sizes = [...initial];
  let copied = 0;
  for (let i = 0; i < rounds; i++) {
    sizes.push(size);
    if (sizes.length <= 24) continue;
    const { first, end } = worthMerging(sizes, LIMIT);
    const sum = sizes.slice(first, end).reduce((a, b) => a + b, 0);
    if (end - first < 2) continue;
    copied += sum;
    sizes.splice(first, end - first, sum);
  }
  return { sizes, copied };
}

describe('segments worth merging', () => {
  test('are the newest and what is not much larger, and leave a large old one alone', () => {
    expect(worthMerging([100, 90, 3, 2, 1], LIMIT)).toEqual({ first: 2, end: 5 });
  });

  test('are the cheapest two neighbours where the newest is too large for any', () => {
    expect(worthMerging([100, 9, 30, 100, 60], 80)).toEqual({ first: 1, end: 3 });
  });

  test('are none where all are too large', () => {
    expect(worthMerging([100, 90, 80], LIMIT)).toEqual({ first: 0, end: 0 });
  });

  test('keep the segments few, and each entry is copied a few times, over a thousand snapshots', () => {
    const { sizes, copied } = grow([120, 120, 120], 1000, 1);
    expect(sizes.length).toBeLessThanOrEqual(24);
    expect(copied).toBeLessThan(10 * 1000);
    expect(sizes.slice(0, 3)).toEqual([120, 120, 120]);
  });

  test('never make more than the limit of one', () => {
    expect(Math.max(...grow([], 2000, 7).sizes)).toBeLessThanOrEqual(LIMIT);
  });
});
