import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { InputFlow } from './input-flow.js';

/** A device of 64 places, and a guest that takes as many events as it is told to whenever it is looked at. */
class Device {
  held = 0;
  dropped = 0;
  looks = 0;

  constructor(readonly takes: () => number) {}

  put(events: number): void {
    if (this.held + events > 64) this.dropped += events;
    else this.held += events;
  }

  readonly backlog = (): Promise<number | undefined> => {
    this.looks++;
    this.held = Math.max(0, this.held - this.takes());
    return Promise.resolve(this.held);
  };
}

describe('the flow of input', () => {
  test('never overruns a device, however slowly and irregularly the guest takes what it holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 8 }),
        async (pace, window) => {
          let turn = 0;
          const device = new Device(() => pace[turn++ % pace.length] ?? 1);
          const flow = new InputFlow({ backlog: device.backlog, window });
          for (let i = 0; i < 40; i++) {
            await flow.room();
            device.put(5);
            flow.sent();
          }
          expect(device.dropped).toBe(0);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('with a window of one, lets an input go only when the guest has taken the one before', async () => {
    const device = new Device(() => 1);
    const flow = new InputFlow({ backlog: device.backlog, window: 1 });
    for (let i = 0; i < 5; i++) {
      await flow.room();
      expect(device.held).toBe(0);
      device.put(2);
      flow.sent();
    }
  });

  test('asks only once a window where the guest keeps up', async () => {
    const device = new Device(() => 64);
    const flow = new InputFlow({ backlog: device.backlog, window: 8 });
    for (let i = 0; i < 81; i++) {
      await flow.room();
      device.put(2);
      flow.sent();
    }
    expect(device.looks).toBeLessThanOrEqual(11);
  });

  test('gives a guest that hangs its patience once, and then holds nothing up until the guest is back', async () => {
    let takes = 0;
    const device = new Device(() => takes);
    const flow = new InputFlow({ backlog: device.backlog, window: 1, patienceMs: 50 });
    for (let i = 0; i < 10; i++) {
      await flow.room();
      device.put(2);
      flow.sent();
    }
    expect(device.held).toBe(20);
    takes = 64;
    await flow.room();
    expect(device.held).toBe(0);
  });

  test('goes on without a word from the guest, failures included, and ends with its signal', async () => {
    const failing = new InputFlow({
      backlog: () => Promise.reject(new Error('no such command')),
      window: 8,
    });
    for (let i = 0; i < 5; i++) {
      await failing.room();
      failing.sent();
    }
    const stuck = new InputFlow({ backlog: () => Promise.resolve(7), window: 1 });
    stuck.sent();
    await expect(stuck.room(AbortSignal.timeout(20))).rejects.toThrow();
  });
});
