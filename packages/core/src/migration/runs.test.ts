import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { unionRuns } from './runs.js';

describe('the union of runs', () => {
  test('holds exactly the pages of its parts, ascending, disjoint and joined', () => {
    const run = fc.tuple(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 9 }));
    fc.assert(
      fc.property(fc.array(fc.array(run, { maxLength: 6 }), { maxLength: 5 }), (parts) => {
        const expected = new Set<number>();
        for (const [first, count] of parts.flat()) {
          for (let page = first; page < first + count; page++) expected.add(page);
        }
        const union = unionRuns(parts.map((part) => BigUint64Array.from(part.flat().map(BigInt))));
        const found: number[] = [];
        for (let i = 0; i < union.length; i += 2) {
          const first = Number(union[i]);
          if (i > 0) expect(first).toBeGreaterThan(Number(union[i - 2]) + Number(union[i - 1]));
          for (let page = 0; page < Number(union[i + 1]); page++) found.push(first + page);
        }
        expect(found).toEqual([...expected].sort((a, b) => a - b));
      }),
    );
  });
});
