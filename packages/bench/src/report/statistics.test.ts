import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { spreadOf } from './statistics.js';

describe('the spread of measured values', () => {
  test('one value is its own minimum, median and maximum', () => {
    expect(spreadOf([7])).toEqual({ min: 7, median: 7, max: 7 });
  });

  test('the median is a value that was measured, with as many above as below', () => {
    expect(spreadOf([9, 1, 5])).toEqual({ min: 1, median: 5, max: 9 });
    expect(spreadOf([4, 1, 3, 2])).toEqual({ min: 1, median: 2, max: 4 });
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 1 }), (values) => {
        const { min, median, max } = spreadOf(values);
        expect(values).toContain(median);
        expect(min).toBe(Math.min(...values));
        expect(max).toBe(Math.max(...values));
        const below = values.filter((value) => value < median).length;
        const above = values.filter((value) => value > median).length;
        expect(Math.max(below, above)).toBeLessThanOrEqual(values.length / 2);
      }),
    );
  });

  test('no values have none', () => {
    expect(() => spreadOf([])).toThrow(RangeError);
  });
});
