import { describe, expect, test } from '@jest/globals';

import { verdict, worst } from './verdict.js';

const quick = { median: 1.2, low: 1.1, high: 1.3 };
const cheap = { median: 0.001, low: -0.02, high: 0.02 };

describe('the verdict on a row', () => {
  test('is as sure as the interval is', () => {
    expect(verdict(quick, cheap)).toEqual({ speed: 'shown', tracking: 'shown' });
    expect(verdict({ median: 0.98, low: 0.9, high: 1 }, { ...cheap, high: 0.05 })).toEqual({
      speed: 'met',
      tracking: 'met',
    });
    expect(verdict({ median: 0.96, low: 0.9, high: 1 }, { ...cheap, median: 0.04 })).toMatchObject({
      speed: 'open',
    });
    const dear = { median: 0.04, low: 0.02, high: 0.06 };
    expect(verdict(quick, dear).tracking).toBe('open');
    expect(verdict(quick, { ...dear, low: 0.031 }).tracking).toBe('missed');
    expect(verdict({ median: 0.98, low: 0.97, high: 0.99 }, cheap).speed).toBe('missed');
  });

  test('of several is the worst of them', () => {
    expect(worst(['shown', 'met', 'shown'])).toBe('met');
    expect(worst(['open', 'missed'])).toBe('missed');
  });
});
