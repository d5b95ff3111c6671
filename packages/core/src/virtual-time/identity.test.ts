import { expect, test } from '@jest/globals';

import { differenceBetween, type VirtualTimeIdentity } from './identity.js';

const here: VirtualTimeIdentity = {
  ...{ qemu: 'a'.repeat(64), plugin: 'b'.repeat(64), shift: 2, tickNs: 10_000_000 },
};

test('two hosts replay alike where they run the same builds at the same rate', () => {
  expect(differenceBetween(here, { ...here })).toBeUndefined();
});

test.each<[Partial<VirtualTimeIdentity>, RegExp]>([
  [{ qemu: 'c'.repeat(64) }, /QEMU is another build/],
  [{ plugin: 'c'.repeat(64) }, /plugin .*another build/],
  [{ shift: 3 }, /another rate/],
  [{ tickNs: 20_000_000 }, /another rate/],
])('they do not, for a reason in words, with %j', (other, reason) => {
  expect(differenceBetween(here, { ...here, ...other })).toMatch(reason);
});
