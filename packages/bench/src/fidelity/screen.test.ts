import { describe, expect, test } from '@jest/globals';

import { sameIn, tilesThatDiffer } from './screen.js';

const screen = (...painted: readonly (readonly [number, number])[]) => {
  const pixels = new Uint8Array(100 * 70 * 4);
  for (const [x, y] of painted) pixels[4 * (y * 100 + x)] = 200;
  return { width: 100, height: 70, pixels };
};

describe('comparing screens', () => {
  test('finds each tile with a pixel of another colour, also in the narrow ones at the edges', () => {
    expect(tilesThatDiffer(screen(), screen([0, 0], [40, 33], [99, 69]))).toEqual([
      { x: 0, y: 0 },
      { x: 1, y: 1 },
      { x: 3, y: 2 },
    ]);
  });

  test('leaves out masked tiles, and what no colour is made of', () => {
    const other = screen([5, 5], [40, 33]);
    other.pixels[4 * 50 + 3] = 255;
    expect(tilesThatDiffer(screen(), other, [{ x: 0, y: 0, width: 1, height: 3 }])).toEqual([
      { x: 1, y: 1 },
    ]);
  });

  test('calls screens of other sizes different', () => {
    const narrow = { width: 50, height: 70, pixels: new Uint8Array(50 * 70 * 4) };
    expect(tilesThatDiffer(screen(), narrow)).toBeUndefined();
    expect(sameIn([], screen(), narrow)).toBe(false);
  });

  test('compares some tiles only', () => {
    const other = screen([40, 33]);
    expect(sameIn([{ x: 0, y: 0 }], screen(), other)).toBe(true);
    expect(sameIn([{ x: 1, y: 1 }], screen(), other)).toBe(false);
  });
});
