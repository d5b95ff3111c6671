/**
 * Orders in which to run `items`, one a round: a Latin square in which everyone has every place equally often
 * and, for an even number, follows each of the others equally often (Williams 1949). What one run leaves
 * behind for the next, and what the machine does meanwhile, then falls on all alike.
 */
export function balancedOrder<T>(items: readonly T[], round: number): T[] {
  const n = items.length;
  return items.map((_, place) => {
    const step = place % 2 === 1 ? (place + 1) / 2 : n - place / 2;
    const item = items[(step + round) % n];
    if (item === undefined) throw new RangeError('There is no order of nothing.');
    return item;
  });
}
