import { describe, expect, test } from '@jest/globals';

import { FrameInlet } from './frame-inlet.js';

/** A log that notes, and a guest that gets a frame when the test says so. */
function bench(budgetBytes: number) {
  const log: string[] = [];
  const failures: unknown[] = [];
  const waiting: ((atMs: number | undefined) => void)[] = [];
  let spent = 0;
  const inlet = new FrameInlet({
    inject: () =>
      new Promise((resolve, reject) => {
        waiting.push((atMs) => {
          if (atMs === undefined) reject(new Error('about to stop'));
          else resolve(atMs);
        });
      }),
    log: {
      recordFrame: (atMs, bytes) => log.push(`${String(atMs)}: ${String(bytes.length)} bytes`),
      recordFramesMissing: (atMs) => log.push(`${String(atMs)}: missing`),
    },
    budgetBytes,
    onSpent: () => spent++,
    onFailure: (cause) => failures.push(cause),
  });
  const settle = async (atMs: number | undefined) => {
    waiting.shift()?.(atMs);
    await new Promise(setImmediate);
  };
  return { inlet, log, failures, waiting, settle, spent: () => spent };
}

describe('frames for a guest in virtual time', () => {
  test('are logged when the guest has them, with the time at which it got them', async () => {
    const { inlet, log, settle, waiting } = bench(1000);
    inlet.deliver(new Uint8Array(60));
    inlet.deliver(new Uint8Array(70));
    expect([log, waiting.length]).toEqual([[], 2]);
    await settle(10);
    await settle(20);
    expect(log).toEqual(['10: 60 bytes', '20: 70 bytes']);
  });

  test('beyond the budget reach the guest, and the log says once that some are missing', async () => {
    const { inlet, log, settle, spent } = bench(100);
    for (let atMs = 10; atMs <= 40; atMs += 10) {
      inlet.deliver(new Uint8Array(60));
      await settle(atMs);
    }
    expect(log).toEqual(['10: 60 bytes', '20: missing']);
    expect(spent()).toBe(1);
  });

  test('that the guest did not get are not in the log', async () => {
    const { inlet, log, settle, failures } = bench(1000);
    inlet.deliver(new Uint8Array(60));
    await settle(undefined);
    expect([log, failures]).toEqual([[], []]);
  });

  test('are dropped where too many wait, and where they are no frames', () => {
    const { inlet, waiting } = bench(1 << 30);
    inlet.deliver(new Uint8Array(0));
    inlet.deliver(new Uint8Array(70_000));
    expect(waiting).toHaveLength(0);
    for (let i = 0; i < 5000; i++) inlet.deliver(new Uint8Array(1500));
    expect(waiting).toHaveLength(1024);
    const big = bench(1 << 30);
    for (let i = 0; i < 500; i++) big.inlet.deliver(new Uint8Array(60_000));
    expect(big.waiting).toHaveLength(Math.floor((2 << 20) / 60_000));
  });

  test('a log that cannot be written is told of, and the guest goes on', async () => {
    const failures: unknown[] = [];
    const inlet = new FrameInlet({
      inject: () => Promise.resolve(10),
      log: {
        recordFrame: () => {
          throw new Error('no space');
        },
        recordFramesMissing: () => undefined,
      },
      budgetBytes: 1000,
      onFailure: (cause) => failures.push(cause),
    });
    inlet.deliver(new Uint8Array(60));
    await new Promise(setImmediate);
    expect(failures).toHaveLength(1);
  });
});
