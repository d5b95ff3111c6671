import { describe, expect, test } from '@jest/globals';

import { SeededRandom } from './random.js';

describe('the seeded generator', () => {
  test('repeats itself for the same seed and differs for another', () => {
    const draw = (seed: number) => {
      const random = new SeededRandom(seed);
      return Array.from({ length: 5 }, () => random.next());
    };
    expect(draw(7)).toEqual(draw(7));
    expect(draw(7)).not.toEqual(draw(8));
  });

  test('draws gaps around their median', () => {
    const random = new SeededRandom(1);
    const gaps = Array.from({ length: 2001 }, () => random.logNormal(130, 0.35)).sort(
      (a, b) => a - b,
    );
    expect(gaps[1000]).toBeGreaterThan(120);
    expect(gaps[1000]).toBeLessThan(140);
    expect(Math.min(...gaps)).toBeGreaterThan(0);
  });
});
