import { describe, expect, test } from '@jest/globals';

import { RepriseError } from '../errors.js';
import type { VirtualClock, VirtualClockStatus } from '../hypervisor/index.js';
import type { InputEvent, InputLogWriter, TimedInput } from '../input/index.js';

import { lagWarning, VirtualSession } from './virtual-session.js';

const KEY: InputEvent = { kind: 'extended-key', keysym: 0x61, keycode: 30, down: true };

/** A session whose clock answers input as the test says, and the log that it writes. */
async function bench(answer: () => Promise<number>) {
  const refuse = () => Promise.reject(new Error('nobody asks this here'));
  const clock: VirtualClock = {
    ...{
      status: refuse,
      stop: refuse,
      load: refuse,
      replay: refuse,
      replayed: refuse,
      halt: refuse,
    },
    nextMark: () => Promise.resolve(undefined),
    record: () => Promise.resolve(2n ** 60n),
    inject: answer,
    abandon: () => undefined,
  };
  const recorded: TimedInput[] = [];
  let written = 0;
  const log = {
    record: (input: TimedInput) => recorded.push(input),
    written: () => {
      written = recorded.length;
      return Promise.resolve();
    },
  };
  const session = await VirtualSession.begin(clock);
  session.recordInto(log as unknown as InputLogWriter, { budgetBytes: 1000 });
  return { session, recorded, written: () => written };
}

describe('input of a session in virtual time', () => {
  test('is acknowledged when it is in the file', async () => {
    const { session, recorded, written } = await bench(() => Promise.resolve(20_000_000));
    expect(await session.inject(KEY)).toBe(20);
    expect([recorded, written()]).toEqual([[{ atMs: 20, event: KEY }], 1]);
    session.assertRecorded();
  });

  test('that the guest did not get leaves the log complete', async () => {
    const { session, recorded } = await bench(() =>
      Promise.reject(new RepriseError('INPUT_NOT_TAKEN', 'about to stop')),
    );
    await expect(session.inject(KEY)).rejects.toMatchObject({ code: 'INPUT_NOT_TAKEN' });
    expect(recorded).toEqual([]);
    session.assertRecorded();
  });

  test.each([
    ['was not answered', () => Promise.reject(new RepriseError('TIMEOUT', 'no answer'))],
    ['went in between two ticks', () => Promise.resolve(20_000_001)],
  ])('that %s may be with the guest: the log is not complete', async (_, answer) => {
    const { session } = await bench(answer);
    await expect(session.inject(KEY)).rejects.toThrow();
    expect(() => {
      session.assertRecorded();
    }).toThrow();
  });

  test('that a frame of the network was not answered makes the log incomplete, too', async () => {
    const { session } = await bench(() => Promise.reject(new RepriseError('TIMEOUT', 'no answer')));
    session.deliver(new Uint8Array(60));
    await new Promise(setImmediate);
    expect(() => {
      session.assertRecorded();
    }).toThrow('no answer');
  });
});

const status = (lagSeconds: number, sessionSeconds: number): VirtualClockStatus => ({
  ...{ mode: 'recording', nowNs: 0n, instructions: 0n, injected: 0, waiting: 0, latestNs: 0 },
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
