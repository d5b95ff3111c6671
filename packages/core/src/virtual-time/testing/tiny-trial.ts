import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { ensureGuest, untilReady } from '@reprise/guests';

import { keyNumber } from '../../console/key-number.js';
import { keystroke, keysym } from '../../console/keysym.js';
import type { QemuOptions } from '../../hypervisor/qemu/qemu.js';
import type { DeviceInput, VirtualClock } from '../../hypervisor/virtual-clock.js';
import { parseMachine, type Machine } from '../../machine/index.js';
import { type PlayTrial, TrialGuest } from '../trial-guest.js';

const BOOT_TIMEOUT_MS = 120_000;
const GUEST_IDLES_NS = 300_000_000;
const KEY_GAP_MS = 35;

/** The tiny guest, booted in virtual time to its prompt. */
export async function bootTinyTrial(
  change: Partial<Machine> = {},
  qemu: QemuOptions = {},
): Promise<TrialGuest> {
  const images = await ensureGuest('tiny');
  const machine = parseMachine({
    ...{ version: 1, hypervisor: 'qemu', accelerator: 'tcg', clock: 'virtual' },
    memoryMiB: images.memoryMiB,
    diskBytes: images.diskBytes,
    boot: { kind: 'direct', kernel: '0'.repeat(64), append: images.append },
    ...{ clockBase: '2026-01-01T00:00:00', seed: 1, ...change },
  });
  return await TrialGuest.boot({
    machine,
    boot: images,
    disk: images.disk,
    ready: untilPrompt,
    qemu,
  });
}

/** Types lines as a person would, then waits as long as the line says after a `#`, in ms. */
export function typing(lines: readonly string[]): PlayTrial {
  return async (put) => {
    for (const line of lines) {
      const [text = '', waitMs = '500'] = line.split(' #');
      for (const character of `${text}\n`) await typeCharacter(character, put);
      await sleep(Number(waitMs));
    }
  };
}

async function typeCharacter(
  character: string,
  put: (input: DeviceInput) => Promise<void>,
): Promise<void> {
  const { keysym: sym, shift } = keystroke(character);
  const keys = [...(shift ? [keysym.ShiftLeft] : []), sym].map((key) => keyNumber(key) ?? 0);
  for (const number of keys) await put({ kind: 'key', number, down: true });
  for (const number of keys.reverse()) await put({ kind: 'key', number, down: false });
  await sleep(KEY_GAP_MS);
}

async function untilPrompt(clock: VirtualClock, runDirectory: string): Promise<void> {
  await untilReady(join(runDirectory, 'serial.log'), { timeoutMs: BOOT_TIMEOUT_MS });
  const { sessionNs } = await clock.status();
  while ((await clock.status()).sessionNs < sessionNs + GUEST_IDLES_NS) await sleep(20);
}
