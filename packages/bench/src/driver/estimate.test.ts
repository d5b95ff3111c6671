import { describe, expect, test } from '@jest/globals';

import { estimateMedian } from './estimate.js';

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
