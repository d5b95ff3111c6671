import { expect, test } from '@jest/globals';

import { argumentsDigest } from '../hypervisor/qemu/arguments.js';
import { parseMachine } from '../machine/index.js';

import { differenceBetween, type ReplayIdentity } from './identity.js';

const here: ReplayIdentity = {
  ...{ qemu: 'a'.repeat(64), plugin: 'b'.repeat(64), shift: 2, tickNs: 10_000_000 },
  ...{ arguments: 'd'.repeat(64), firmware: 'e'.repeat(64) },
};

test('two hosts replay alike where they run the same builds at the same rate', () => {
  expect(differenceBetween(here, { ...here })).toBeUndefined();
});

test.each<[Partial<ReplayIdentity>, RegExp]>([
  [{ qemu: 'c'.repeat(64) }, /QEMU is another build/],
  [{ plugin: 'c'.repeat(64) }, /plugin .*another build/],
  [{ shift: 3 }, /another rate/],
  [{ tickNs: 20_000_000 }, /another rate/],
  [{ arguments: 'c'.repeat(64) }, /other arguments.*same version/],
  [{ firmware: 'c'.repeat(64) }, /firmware is another build/],
])('they do not, for a reason in words, with %j', (other, reason) => {
  expect(differenceBetween(here, { ...here, ...other })).toMatch(reason);
});

test('the arguments of a machine are the same wherever it runs, and another machine has others', () => {
  const machine = parseMachine({
    ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
    ...{ memoryMiB: 64, diskBytes: 4096, boot: { kind: 'firmware' }, seed: 1 },
    clockBase: '2026-01-01T00:00:00',
  });
  expect(argumentsDigest({ ...machine })).toBe(argumentsDigest(machine));
  for (const change of [{ seed: 2 }, { memoryMiB: 128 }, { network: 'user' as const }])
    expect(argumentsDigest({ ...machine, ...change })).not.toBe(argumentsDigest(machine));
});
