import { describe, expect, test } from '@jest/globals';

import type { InputLog } from '../input/index.js';

import { joinLogs, replaySeconds, sessionMs } from './session-log.js';

const anchor = (cpuMs: number) => ({
  digest: '0'.repeat(16),
  width: 8,
  height: 8,
  mask: [],
  cpuMs,
});
const key = (keysym: number) => ({ kind: 'key', down: true, keysym }) as const;

function log(events: InputLog['events'], endMs: number, cpuMs: number): InputLog {
  const header = { width: 8, height: 8, held: [], buttons: 0 };
  return { header, events, end: { atMs: endMs, anchor: anchor(cpuMs) } };
}

describe('the input of several sessions', () => {
  const first = log([{ atMs: 100, event: key(65) }], 5_000, 900);
  const second = log([{ atMs: 40, event: key(66), anchor: anchor(30) }], 2_000, 70);

  test('is one log whose time stands still while the VM was suspended', () => {
    const joined = joinLogs([first, second]);
    expect(joined.events.map(({ atMs, event }) => [atMs, event])).toEqual([
      [100, key(65)],
      [5_040, key(66)],
    ]);
    expect(sessionMs(joined)).toBe(7_000);
  });

  test('counts the CPU time of the guest on through the sessions', () => {
    const joined = joinLogs([first, second]);
    expect(joined.events[1]?.anchor?.cpuMs).toBe(930);
    expect(joined.end?.anchor?.cpuMs).toBe(970);
  });

  test('takes as long to replay as the guest had work, not as long as the user thought', () => {
    // One key, then 4.9 s of thought in which the guest worked for 0.9 s.
    expect(replaySeconds(first)).toBeGreaterThan(0.9);
    expect(replaySeconds(first)).toBeLessThan(1.5);
  });
});
