import { expect, test } from '@jest/globals';

import { ReplayPulse } from './replay-pulse.js';

/** A replay that is told of every two seconds, for `seconds`; what it says at each. */
function silenceAfter(
  seconds: number,
  beat: (second: number) => {
    readonly events?: number;
    readonly cpuMs?: number;
    readonly starvedMs?: number;
  },
): number {
  let now = 0;
  const pulse = new ReplayPulse(() => now);
  for (let second = 2; second <= seconds; second += 2) {
    now = second * 1000;
    const still = { eventsTotal: 100, sessionMs: 0, missesInARow: 0, matchedMs: 0 };
    pulse.told({ events: 3, ...still, ...beat(second) });
  }
  return pulse.silentMs / 1000;
}

test('one that waits for a build is alive, and so is one whose guest waits for the host', () => {
  expect(silenceAfter(600, (s) => ({ cpuMs: 900 * s }))).toBe(0);
  expect(silenceAfter(600, (s) => ({ cpuMs: 20 * s, starvedMs: 950 * s }))).toBe(0);
});

test('one is silent when no input went in and its guest idled, or nothing is known of it', () => {
  expect(silenceAfter(600, (s) => ({ cpuMs: 30 * s }))).toBe(598);
  expect(silenceAfter(600, () => ({}))).toBe(598);
  expect(silenceAfter(600, (s) => ({ events: Math.min(s, 300) }))).toBe(300);
});
