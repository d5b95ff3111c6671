import { beforeEach, describe, expect, test } from '@jest/globals';

import { ProgressMeter, type Activity } from './progress-meter.js';

let nowMs = 0;
let activity: Activity;
let meter: ProgressMeter;

beforeEach(() => {
  nowMs = 0;
  activity = { cpuMs: 0, starvedMs: 0, diskRequests: 0 };
  meter = new ProgressMeter(
    () => Promise.resolve(activity),
    () => nowMs,
  );
});

async function after(ms: number, change: Partial<Activity>) {
  nowMs += ms;
  activity = { ...activity, ...change };
  return await meter.look();
}

describe('what a guest is doing', () => {
  test('is idle since its CPU last worked, its disk quiet since it last answered', async () => {
    await after(0, {});
    await after(20, { cpuMs: 18, diskRequests: 3 });
    expect(await after(50, {})).toMatchObject({ cpuIdleMs: 50, diskQuietMs: 50 });
    expect(await after(10, { cpuMs: 27 })).toMatchObject({ cpuIdleMs: 0, diskQuietMs: 60 });
  });

  test('a timer now and then is no work', async () => {
    await after(0, {});
    expect(await after(100, { cpuMs: 1 })).toMatchObject({ cpuIdleMs: 100 });
  });

  test('is not idle while it waits for a CPU of the host, and that time is not its own', async () => {
    await after(0, {});
    meter.inputPassed();
    expect(await after(100, { starvedMs: 95 })).toMatchObject({
      cpuIdleMs: 0,
      starvedSinceInputMs: 95,
    });
  });

  test('has something to do from the moment that an input went in', async () => {
    await after(0, {});
    await after(500, {});
    meter.inputPassed();
    expect(await after(5, {})).toMatchObject({ cpuIdleMs: 5, diskQuietMs: 5 });
  });

  test('is not known to be idle where nobody tells whether it waits', async () => {
    activity = { cpuMs: 0 };
    expect(await meter.look()).toMatchObject({ cpuIdleMs: undefined, diskQuietMs: undefined });
  });

  test('a reading that fails is no sign of rest', async () => {
    let fails = false;
    const failing = new ProgressMeter(
      () => (fails ? Promise.reject(new Error('gone')) : Promise.resolve(activity)),
      () => nowMs,
    );
    await failing.look();
    nowMs += 400;
    fails = true;
    expect(await failing.look()).toMatchObject({ cpuIdleMs: 0, diskQuietMs: 0 });
  });
});
