import { createHash } from 'node:crypto';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { differing, digestsIn, fromBits, LeafDescent, toBits } from './leaf-descent.js';

/** Digests of numbered leaves, some of them spoilt. */
function leaves(count: number, spoilt: ReadonlySet<number>): Uint8Array {
  return Buffer.concat(
    Array.from({ length: count }, (_, i) =>
      createHash('sha256')
        .update(`${String(i)} ${String(spoilt.has(i))}`)
        .digest(),
    ),
  );
}

describe('the descent to the leaves that differ', () => {
  test('finds exactly those, in two rounds, in trees of any size', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.uniqueArray(fc.nat(4999), { maxLength: 12 }),
        (count, numbers) => {
          const spoilt = new Set(numbers.filter((n) => n < count));
          const ours = new LeafDescent(leaves(count, new Set()));
          const theirs = new LeafDescent(leaves(count, spoilt));
          expect(digestsIn(ours.top())).toBeLessThanOrEqual(1024);

          const nodes = differing(ours.top(), theirs.top()) ?? [];
          const below = ours.leavesBelow(nodes);
          const bad = differing(ours.ofLeaves(below), theirs.ofLeaves(below)) ?? [];
          expect(bad.map((i) => below[i])).toEqual([...spoilt].sort((a, b) => a - b));
        },
      ),
      { numRuns: 30 },
    );
  });

  test('says when two rounds do not fit each other', () => {
    expect(differing(new Uint8Array(16), new Uint8Array(24))).toBeUndefined();
  });

  test('carries positions as bits and back', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(999)), (positions) => {
        const sorted = positions.sort((a, b) => a - b);
        expect(fromBits(toBits(sorted, 1000))).toEqual(sorted);
      }),
    );
  });
});
