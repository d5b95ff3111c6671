import { describe, expect, test } from '@jest/globals';

import { balancedOrder } from './order.js';

const items = ['a', 'b', 'c', 'd'];
const rounds = items.map((_, round) => balancedOrder(items, round));

describe('the order within rounds', () => {
  test('has everyone once a round, and in every place once in as many rounds', () => {
    for (const order of rounds) expect(order.toSorted()).toEqual(items);
    for (const place of items.keys()) {
      expect(rounds.map((order) => order[place]).toSorted()).toEqual(items);
    }
  });

  test('lets everyone follow each of the others once', () => {
    const pairs = rounds.flatMap((order) => order.slice(1).map((item, i) => `${order[i]}${item}`));
    expect(new Set(pairs).size).toBe(12);
  });
});
