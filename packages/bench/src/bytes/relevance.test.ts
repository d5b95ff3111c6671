import { randomBytes } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';

import { Relevance } from './relevance.js';

const PAGE = 4096;

describe('the relevance of a page', () => {
  const rank = (content: Buffer, pages: readonly Buffer[]): number[] => {
    const relevance = new Relevance();
    relevance.addContent(content);
    for (const page of pages) relevance.countSharers(page);
    return pages.map((page) => relevance.scoreOf(page));
  };

  test('finds a shared string wherever in the page it stands', () => {
    const content = randomBytes(PAGE);
    const near = randomBytes(PAGE);
    content.copy(near, 1001, 77, 177);
    const [nearest, other] = rank(content, [near, randomBytes(PAGE)]);
    expect(nearest).toBeGreaterThanOrEqual(80);
    expect(other).toBeLessThan(20);
  });

  test('counts what many pages hold for less than what few do', () => {
    const content = randomBytes(PAGE);
    const common = Array.from({ length: 50 }, () => {
      const page = randomBytes(PAGE);
      content.copy(page, 0, 0, 512);
      return page;
    });
    const rare = randomBytes(PAGE);
    content.copy(rare, 0, 2048, 2048 + 100);
    const scores = rank(content, [...common, rare]);
    expect(scores.at(-1)).toBeGreaterThan(2 * Math.max(...scores.slice(0, -1)));
  });

  test('is nothing for zeros and fillers', () => {
    const content = Buffer.concat([Buffer.alloc(PAGE / 2), randomBytes(PAGE / 2)]);
    expect(rank(content, [Buffer.alloc(PAGE), Buffer.alloc(PAGE, 7)])).toEqual([0, 0]);
  });
});
