import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { prefixInOrder, lastChanges, requestsOf } from './fio-plan.js';

const requests = fc.array(fc.uniqueArray(fc.nat(12), { minLength: 1, maxLength: 3 }), {
  minLength: 2,
  maxLength: 40,
});

test('an iolog is read as single changes, trims apart from writes', () => {
  const iolog =
    'fio version 3 iolog\n1 a add\n2 a write 8192 8192\n3 a sync 0 0\n4 a trim 4096 4096\n';
  expect(requestsOf(iolog)).toEqual([[2, 3], [-2]]);
});

test('the model knows every prefix of what was asked for, compacted or not', () => {
  fc.assert(
    fc.property(requests, fc.nat(), (asked, pick) => {
      const count = 1 + (pick % asked.length);
      const log = asked.slice(0, count).flat();
      for (const kept of [log, lastChanges(log)]) {
        const found = prefixInOrder(kept, asked);
        expect(lastChanges(asked.slice(0, found).flat())).toEqual(lastChanges(log));
      }
    }),
  );
});

test('the model finds two changes that are swapped, one that is missing, one that is foreign', () => {
  const distinct = fc.uniqueArray(fc.nat(1000), { minLength: 3, maxLength: 30 });
  fc.assert(
    fc.property(distinct, fc.nat(), (blocks, pick) => {
      const asked = blocks.map((block) => [block]);
      const at = pick % (blocks.length - 2);
      const swapped = blocks.with(at, blocks[at + 1] ?? 0).with(at + 1, blocks[at] ?? 0);
      for (const log of [swapped, blocks.toSpliced(at, 1), blocks.toSpliced(at, 0, 5000)]) {
        expect(prefixInOrder(log, asked)).toBeUndefined();
      }
    }),
  );
});
