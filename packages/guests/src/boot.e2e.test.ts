import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { runCommand } from './command.js';
import { ensureGuest, READY_MARKER, type GuestName } from './index.js';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'reprise-boot-'));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

/** Boots a guest on a throw-away overlay, with the devices reprise gives its VMs, until it says it is ready. */
async function bootUntilReady(name: GuestName): Promise<string[]> {
  const guest = await ensureGuest(name);
  const overlay = join(directory, 'overlay.qcow2');
  await promisify(execFile)('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', guest.disk, overlay],
  ]);
  const lines: string[] = [];
  const ready = new AbortController();
  await runCommand(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-machine', 'pc-i440fx-7.2', '-cpu', 'qemu64', '-accel', 'tcg'],
      ...['-m', String(guest.memoryMiB)],
      ...['-device', 'VGA,vgamem_mb=8,xres=800,yres=600'],
      ...['-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci'],
      ...['-device', 'virtio-balloon-pci'],
      ...['-drive', `if=none,id=disk,file=${overlay},format=qcow2`],
      ...['-device', 'virtio-blk-pci,drive=disk', '-serial', 'stdio'],
      ...['-kernel', guest.kernel, '-initrd', guest.initrd, '-append', guest.append],
    ],
    {
      timeoutMs: 8 * 60_000,
      signal: ready.signal,
      onLine: (line) => {
        lines.push(line);
        if (line.includes(READY_MARKER)) ready.abort();
      },
    },
  ).catch((error: unknown) => {
    if (!ready.signal.aborted) throw error;
  });
  return lines;
}

test('tiny boots to its shell', async () => {
  expect(await bootUntilReady('tiny')).toContainEqual(expect.stringContaining(READY_MARKER));
});

const whenLong = process.env['REPRISE_LONG'] === '1' ? test : test.skip;
whenLong('desktop boots until both its windows stand', async () => {
  expect(await bootUntilReady('desktop')).toContainEqual(expect.stringContaining(READY_MARKER));
});
