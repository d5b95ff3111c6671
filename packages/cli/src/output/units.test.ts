import { describe, expect, test } from '@jest/globals';

import { table } from './output.js';
import { bytes, seconds } from './units.js';

describe('what people read', () => {
  test.each([
    [0, '0 B'],
    [999, '999 B'],
    [1_000, '1.00 kB'],
    [65_704, '65.7 kB'],
    [1_500_000_000, '1.50 GB'],
  ])('%d bytes are %s', (count, text) => {
    expect(bytes(count)).toBe(text);
  });

  test.each([
    [4.24, '4.2 s'],
    [59.9, '59.9 s'],
    [185, '3 min 05 s'],
  ])('%d seconds are %s', (count, text) => {
    expect(seconds(count)).toBe(text);
  });

  test('a table is aligned columns without lines', () => {
    const text = table(
      ['NAME', 'STATE'],
      [
        ['desk', 'running'],
        ['a-longer-name', 'elsewhere'],
      ],
    );
    expect(text).toBe('NAME           STATE\ndesk           running\na-longer-name  elsewhere');
  });
});
