import { expect, test } from '@jest/globals';

import type { VirtualClockStatus } from '../hypervisor/index.js';

import { lagWarning } from './virtual-session.js';

const status = (lagSeconds: number, sessionSeconds: number): VirtualClockStatus => ({
  ...{ mode: 'recording', nowNs: 0, instructions: 0, injected: 0, waiting: 0, latestNs: 0 },
  ...{ diskRequests: 0, diskNs: 0, lagNs: lagSeconds * 1e9, sessionNs: sessionSeconds * 1e9 },
});

test('a host that keeps up, nearly keeps up, or had a hiccup is not complained of', () => {
  expect(lagWarning(status(0, 100))).toBeUndefined();
  // Less than a tenth, however long.
  expect(lagWarning(status(99, 1000))).toBeUndefined();
  // More than a tenth of very little.
  expect(lagWarning(status(2.9, 5))).toBeUndefined();
});

test('a host that is too slow is told of with how much was lost', () => {
  expect(lagWarning(status(30, 100))).toMatch(/too slow.*30 s were lost beside 100 s/);
});
