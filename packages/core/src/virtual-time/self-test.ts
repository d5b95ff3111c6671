import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { describeError, throwIfCancelled } from '../errors.js';
import type { QemuOptions } from '../hypervisor/qemu/qemu.js';
import type { VirtualClock } from '../hypervisor/virtual-clock.js';
import { parseMachine } from '../machine/index.js';

import { keepBusy } from './host-load.js';
import { SELF_TEST_DISK_BYTES, SELF_TEST_MEMORY_MIB, selfTestDisk } from './self-test-guest.js';
import { type PlayTrial, TrialGuest, type TrialState } from './trial-guest.js';

export interface SelfTestResult {
  readonly passed: boolean;
  /** What was seen, for a person. */
  readonly found: string;
  readonly seconds: number;
}

const BOOT_TIMEOUT_MS = 60_000;
/** The guest is past its firmware when it has written so often. */
const BOOTED_REQUESTS = 30;
/** XT codes of the letters a to l. */
const LETTERS = [0x1e, 0x30, 0x2e, 0x20, 0x12, 0x21, 0x22, 0x23, 0x17, 0x24, 0x25, 0x26];
const KEY_GAP_MS = 60;

const machine = parseMachine({
  ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
  memoryMiB: SELF_TEST_MEMORY_MIB,
  diskBytes: SELF_TEST_DISK_BYTES,
  boot: { kind: 'firmware' },
  ...{ clockBase: '2026-01-01T00:00:00', seed: 1, balloon: false },
});

/**
 * Whether a session replays bit for bit here: one is recorded and replayed twice, the second time while
 * every CPU of the host is busy. About ten seconds. Never throws but CANCELLED: what goes wrong is the result.
 * `replayWith` is for a test of the test.
 */
export async function runSelfTest(
  signal?: AbortSignal,
  replayWith: QemuOptions = {},
): Promise<SelfTestResult> {
  const startedMs = performance.now();
  const result = (passed: boolean, found: string): SelfTestResult => ({
    ...{ passed, found },
    seconds: (performance.now() - startedMs) / 1000,
  });
  try {
    const difference = await recordAndReplay(signal, replayWith);
    if (difference !== undefined) return result(false, difference);
    return result(true, 'a session replayed bit for bit twice, once under load');
  } catch (error) {
    throwIfCancelled(signal);
    return result(false, describeError(error));
  }
}

async function withGuest<T>(
  signal: AbortSignal | undefined,
  use: (guest: TrialGuest) => Promise<T>,
): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'reprise-self-test-'));
  try {
    const disk = join(directory, 'disk');
    await writeFile(disk, selfTestDisk());
    await using guest = await TrialGuest.boot({
      ...{ machine, disk, boot: undefined, ready: untilWriting },
      ...(signal === undefined ? {} : { signal }),
    });
    return await use(guest);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function recordAndReplay(
  signal: AbortSignal | undefined,
  replayWith: QemuOptions,
): Promise<string | undefined> {
  return await withGuest(signal, async (guest) => {
    const trial = await guest.record(typeLetters);
    const quiet = await guest.replay(trial, replayWith);
    const unlike = difference(trial.end, quiet);
    if (unlike !== undefined) return `a replay differed from its session in ${unlike}`;
    await using _load = keepBusy();
    const underLoad = difference(trial.end, await guest.replay(trial, replayWith));
    return underLoad && `a replay under load differed from its session in ${underLoad}`;
  });
}

async function untilWriting(clock: VirtualClock): Promise<void> {
  const deadline = Date.now() + BOOT_TIMEOUT_MS;
  while ((await clock.status()).diskRequests < BOOTED_REQUESTS) {
    if (Date.now() > deadline) throw new Error('The guest of the self-test did not start.');
    await sleep(20);
  }
}

const typeLetters: PlayTrial = async (put) => {
  for (const number of LETTERS) {
    await put({ kind: 'key', number, down: true });
    await put({ kind: 'key', number, down: false });
    await sleep(KEY_GAP_MS);
  }
};

/** Which parts differ, in words; undefined: none. */
function difference(a: TrialState, b: TrialState): string | undefined {
  const parts = (['ram', 'disk', 'device'] as const).filter((part) => a[part] !== b[part]);
  if (a.sessionNs !== b.sessionNs) return 'its length';
  if (parts.length === 0 && JSON.stringify(a.marks) !== JSON.stringify(b.marks)) return 'its marks';
  return parts.length === 0 ? undefined : parts.join(', ');
}
