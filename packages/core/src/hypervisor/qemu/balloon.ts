import { setTimeout as sleep } from 'node:timers/promises';

import type { SqueezeReport } from '../port.js';

import type { QmpClient } from './qmp.js';

/**
 * Squeezing a guest: its balloon takes the memory that the guest has free, QEMU gives those pages back
 * to the host, the balloon lets go again. What was stale content of free pages reads as zeros then.
 */

/** The balloon's id on the command line. */
export const BALLOON_ID = 'balloon0';
const BALLOON = `/machine/peripheral/${BALLOON_ID}`;

/**
 * Left to the guest: above the kernel's watermarks, so that squeezing never makes it give up page
 * cache (which would have to be read again, and measured worse than leaving it alone).
 */
const RESERVE_SHARE = 1 / 64;
const STATISTICS_TIMEOUT_MS = 4_000;
const INFLATE_TIMEOUT_MS = 20_000;
const DEFLATE_TIMEOUT_MS = 30_000;
/** A balloon that has not moved for so long has got what there is. */
const STALLED_MS = 1_500;
const POLL_MS = 40;

interface GuestStatistics {
  readonly 'last-update': number;
  readonly stats: Readonly<Record<string, number>>;
}

/**
 * Hands the free memory of a running guest back. Takes about a second; a guest without a balloon driver
 * is left as it is. Throws HYPERVISOR_GONE or HYPERVISOR_REFUSED.
 */
export async function squeezeGuest(
  qmp: QmpClient,
  memoryBytes: number,
  signal?: AbortSignal,
): Promise<SqueezeReport> {
  const freeBytes = await freeMemory(qmp, signal);
  if (freeBytes === undefined) {
    return { freedBytes: 0, because: 'the guest does not answer its balloon' };
  }
  const spare = freeBytes - Math.ceil(memoryBytes * RESERVE_SHARE);
  if (spare <= 0) return { freedBytes: 0, because: 'the guest has no memory to spare' };
  const options = { signal, stalledMs: STALLED_MS };
  const target = memoryBytes - spare;
  let smallest: number;
  try {
    await qmp.execute('balloon', { value: target });
    smallest = await settle(qmp, (actual) => actual <= target, {
      ...options,
      timeoutMs: INFLATE_TIMEOUT_MS,
    });
  } finally {
    // Whatever happened: the guest gets its memory back before it goes on or is suspended.
    await qmp.execute('balloon', { value: memoryBytes });
  }
  const restored = await settle(qmp, (actual) => actual >= memoryBytes, {
    ...options,
    timeoutMs: DEFLATE_TIMEOUT_MS,
  });
  return {
    freedBytes: memoryBytes - smallest,
    ...(restored >= memoryBytes
      ? {}
      : { because: 'the guest has not taken all of its memory back yet; it goes on doing so' }),
  };
}

/** What the guest's kernel reports as free; undefined when its balloon driver does not answer. */
async function freeMemory(
  qmp: QmpClient,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  const read = async () =>
    (await qmp.execute('qom-get', { path: BALLOON, property: 'guest-stats' })) as GuestStatistics;
  const poll = (seconds: number) =>
    qmp.execute('qom-set', {
      path: BALLOON,
      property: 'guest-stats-polling-interval',
      value: seconds,
    });
  const before = (await read())['last-update'];
  await poll(1);
  try {
    const deadline = performance.now() + STATISTICS_TIMEOUT_MS;
    while (performance.now() < deadline) {
      signal?.throwIfAborted();
      const { 'last-update': updated, stats } = await read();
      const free = stats['stat-free-memory'];
      // QEMU says 2^64 - 1 for a figure that the guest does not report.
      if (updated > before && free !== undefined && free >= 0 && free < 2 ** 53) return free;
      await sleep(POLL_MS);
    }
    return undefined;
  } finally {
    await poll(0);
  }
}

/** Waits until the balloon's size satisfies `done` or stops moving; its last size in bytes. */
async function settle(
  qmp: QmpClient,
  done: (actual: number) => boolean,
  options: { timeoutMs: number; stalledMs: number; signal: AbortSignal | undefined },
): Promise<number> {
  const startedMs = performance.now();
  let movedMs = startedMs;
  let last = -1;
  for (;;) {
    options.signal?.throwIfAborted();
    const { actual } = (await qmp.execute('query-balloon')) as { actual: number };
    const nowMs = performance.now();
    if (actual !== last) movedMs = nowMs;
    last = actual;
    const over = nowMs - movedMs > options.stalledMs || nowMs - startedMs > options.timeoutMs;
    if (done(actual) || over) return actual;
    await sleep(POLL_MS);
  }
}
