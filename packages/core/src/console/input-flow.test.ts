import { setTimeout as delay } from 'node:timers/promises';

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { InputFlow } from './input-flow.js';

/** A device of 64 places, and a guest that takes as many events as it is told to whenever it is looked at. */
class Device {
  held = 0;
  most = 0;
  dropped = 0;
  looks = 0;

  constructor(readonly takes: () => number) {}

  put(events: number): void {
    if (this.held + events > 64) this.dropped += events;
    else this.held += events;
    this.most = Math.max(this.most, this.held);
  }

  readonly backlog = (): Promise<number | undefined> => {
    this.looks++;
    this.held = Math.max(0, this.held - this.takes());
    return Promise.resolve(this.held);
  };
}

/** What every test of a guest that works wants: `inputs` inputs of five events through the flow, by several at once. */
async function sendThrough(
  flow: InputFlow,
  device: Device,
  o: { readonly senders: number; readonly inputs: number },
): Promise<number[]> {
  const order: number[] = [];
  const send = async (sender: number): Promise<void> => {
    for (let i = 0; i < o.inputs; i++) {
      await flow.pass(() => {
        device.put(5);
        flow.sent();
        order.push(sender);
      });
    }
  };
  await Promise.all(Array.from({ length: o.senders }, (_, sender) => send(sender)));
  return order;
}

describe('the flow of input', () => {
  test('never overruns a device, however slowly and irregularly the guest takes what it holds, and however many type', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 20 }),
        fc.integer({ min: 1, max: 8 }),
        fc.constantFrom(1, 8),
        async (pace, window, senders) => {
          let turn = 0;
          const device = new Device(() => pace[turn++ % pace.length] ?? 1);
          const flow = new InputFlow({ backlog: device.backlog, window });
          const inputs = 40 / senders;
          expect(await sendThrough(flow, device, { senders, inputs })).toHaveLength(40);
          expect(device.dropped).toBe(0);
          expect(device.most).toBeLessThanOrEqual(5 * window);
        },
      ),
      { numRuns: 20 },
    );
  });

  test('those who share it take turns', async () => {
    const device = new Device(() => 5);
    const flow = new InputFlow({ backlog: device.backlog, window: 8 });
    const order = await sendThrough(flow, device, { senders: 8, inputs: 3 });
    expect(order).toEqual([0, 1, 2].flatMap(() => [0, 1, 2, 3, 4, 5, 6, 7]));
  });

  test('an input that came while the flow looked counts as not taken', async () => {
    const device = new Device(() => 64);
    const flow = new InputFlow({
      window: 1,
      backlog: async () => {
        const left = await device.backlog();
        // Somebody who does not ask, as what lifts keys, sends one between the look and its answer.
        if (device.looks === 1) flow.sent();
        return left;
      },
    });
    for (let i = 0; i < 2; i++)
      await flow.pass(() => {
        device.put(2);
        flow.sent();
      });
    const { looks } = device;
    await flow.pass(() => undefined);
    expect(device.looks).toBeGreaterThan(looks);
  });

  test('with a window of one, lets an input go only when the guest has taken the one before', async () => {
    const device = new Device(() => 1);
    const flow = new InputFlow({ backlog: device.backlog, window: 1 });
    await sendThrough(flow, device, { senders: 1, inputs: 5 });
    expect(device.most).toBe(5);
  });

  test('asks only once a window where the guest keeps up', async () => {
    const device = new Device(() => 64);
    const flow = new InputFlow({ backlog: device.backlog, window: 8 });
    await sendThrough(flow, device, { senders: 1, inputs: 81 });
    expect(device.looks).toBeLessThanOrEqual(11);
  });

  test('gives a guest that hangs its patience once, and then what its devices hold; the rest when it is back', async () => {
    let takes = 0;
    const device = new Device(() => takes);
    const flow = new InputFlow({ backlog: device.backlog, window: 1, patienceMs: 50 });
    let sent = 0;
    const all = Promise.all(
      Array.from({ length: 30 }, () =>
        flow.pass(() => {
          device.put(4);
          flow.sent();
          sent++;
        }),
      ),
    );
    while (device.held < 50) await delay(5);
    await delay(100);
    expect(device.dropped).toBe(0);
    // What is pressed can still be released.
    expect(device.held).toBeLessThanOrEqual(56);
    expect(sent).toBeLessThan(30);
    takes = 64;
    await all;
    expect([sent, device.dropped]).toEqual([30, 0]);
  });

  test('a guest that waits for the host is not one that hangs: nothing more goes in before it had time to run', async () => {
    const startedMs = performance.now();
    let takes = 0;
    let starves = true;
    const device = new Device(() => takes);
    const flow = new InputFlow({
      ...{ backlog: device.backlog, window: 1, patienceMs: 50 },
      starvedMs: () => Promise.resolve(starves ? performance.now() - startedMs : 0),
    });
    let sent = 0;
    const all = Promise.all(
      Array.from({ length: 40 }, () =>
        flow.pass(() => {
          device.put(4);
          flow.sent();
          sent++;
        }),
      ),
    );
    await delay(600);
    expect(sent).toBe(1);
    starves = false;
    takes = 4;
    await all;
    expect([sent, device.most, device.dropped]).toEqual([40, 4, 0]);
  });

  test('goes on without a word from the guest, failures included, and ends with its signal', async () => {
    const failing = new InputFlow({
      backlog: () => Promise.reject(new Error('no such command')),
      window: 8,
    });
    let passed = 0;
    for (let i = 0; i < 5; i++)
      await failing.pass(() => {
        passed++;
        failing.sent();
      });
    expect(passed).toBe(5);
    const stuck = new InputFlow({ backlog: () => Promise.resolve(7), window: 1 });
    stuck.sent();
    const waits = stuck.pass(() => undefined, AbortSignal.timeout(40)).catch(() => 'gave up');
    // One that waits for its turn only need not wait for the one before it.
    const behind = new AbortController();
    const waitsBehind = stuck.pass(() => undefined, behind.signal);
    behind.abort();
    await expect(waitsBehind).rejects.toThrow();
    expect(await waits).toBe('gave up');
  });
});
