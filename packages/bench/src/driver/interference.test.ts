import { setTimeout as sleep } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';

import { runProgram } from '../baseline/index.js';
import { busyTicks, observe, processTicks } from './interference.js';

describe('interference', () => {
  test('counts what the machine did but idling, waiting and what gives way', () => {
    expect(busyTicks('cpu  1 2 4 1000 2000 8 16 32 0 0\ncpu0 9 9 9 9\n')).toBe(61);
  });

  test('counts a process with an odd name, with and without its children', () => {
    const stat = '42 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 100 200 300 400 20 0 1 0';
    expect(processTicks(stat, { withChildren: false })).toBe(300);
    expect(processTicks(stat, { withChildren: true })).toBe(1000);
  });

  test('gives back what was measured; what this process burns itself is no interference', async () => {
    const { value, othersUsed } = await observe([process.pid], async () => {
      await runProgram('true', []);
      await sleep(20);
      return 7;
    });
    expect(value).toBe(7);
    expect(othersUsed).toBeGreaterThanOrEqual(0);
  });
});
