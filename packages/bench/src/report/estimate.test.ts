import { describe, expect, test } from '@jest/globals';

import { estimateMedian, estimateShift } from './estimate.js';

describe('the estimate of a median', () => {
  test('of seven values spans all of them, of nine leaves out one at each end', () => {
    expect(estimateMedian([7, 1, 3, 2, 5, 4, 6])).toEqual({ median: 4, low: 1, high: 7 });
    expect(estimateMedian([9, 8, 7, 1, 3, 2, 5, 4, 6])).toEqual({ median: 5, low: 2, high: 8 });
  });

  test('of twenty values leaves out five at each end, as the tables of the sign test say', () => {
    const values = Array.from({ length: 20 }, (_, i) => i + 1);
    expect(estimateMedian(values)).toEqual({ median: 10.5, low: 6, high: 15 });
  });

  test('of a few values is their range', () => {
    expect(estimateMedian([2])).toEqual({ median: 2, low: 2, high: 2 });
    expect(estimateMedian([1, 3])).toEqual({ median: 2, low: 1, high: 3 });
  });

  test('of no values is refused', () => {
    expect(() => estimateMedian([])).toThrow(RangeError);
  });
});

describe('the estimate of a shift', () => {
  test('leaves out as many means at each end as the tables of the signed-rank test say', () => {
    // Of ten values 8 sums of ranks are too unlikely, so the interval begins at the ninth of 55 means.
    const values = Array.from({ length: 10 }, (_, i) => 2 ** i);
    const means = values.flatMap((a, i) => values.slice(i).map((b) => (a + b) / 2));
    means.sort((a, b) => a - b);
    expect(estimateShift(values)).toEqual({ median: means[27], low: means[8], high: means[46] });
  });

  test('holds the truth in about 95 of 100 runs, and is narrower than that of the median', () => {
    let state = 1;
    const uniform = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    const noise = (): number => uniform() + uniform() + uniform() - 1.5;
    let held = 0;
    let narrower = 0;
    for (let run = 0; run < 400; run++) {
      const values = Array.from({ length: 30 }, () => 3 + noise());
      const { low, high } = estimateShift(values);
      if (low <= 3 && high >= 3) held++;
      const plain = estimateMedian(values);
      if (high - low < plain.high - plain.low) narrower++;
    }
    expect(held).toBeGreaterThan(365);
    expect(held).toBeLessThan(400);
    expect(narrower).toBeGreaterThan(300);
  });

  test('of a few values is their range, of none is refused', () => {
    expect(estimateShift([1, 3])).toEqual({ median: 2, low: 1, high: 3 });
    expect(() => estimateShift([])).toThrow(RangeError);
  });
});
