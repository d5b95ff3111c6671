import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What QEMU may load for our machines: firmware, the display's and the network card's ROMs, the loaders of a direct boot. */
const FILES = [
  ...['bios-256k.bin', 'bios.bin', 'vgabios-stdvga.bin', 'efi-virtio.rom', 'kvmvapic.bin'],
  ...['linuxboot.bin', 'linuxboot_dma.bin', 'pvh.bin'],
];
const TIMEOUT_MS = 30_000;

/** SHA-256 over the firmware that a QEMU finds: it runs in the guest whenever that boots again. */
export async function firmwareDigest(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(program, ['-L', 'help'], { timeout: TIMEOUT_MS });
  const directories = stdout.split('\n').filter((line) => line !== '');
  const hash = createHash('sha256');
  for (const name of FILES) {
    const bytes = await firstOf(directories, name);
    hash.update(`${name} ${String(bytes?.length ?? 'absent')}\n`).update(bytes ?? '');
  }
  return hash.digest('hex');
}

async function firstOf(directories: readonly string[], name: string): Promise<Buffer | undefined> {
  for (const directory of directories) {
    const bytes = await readFile(join(directory, name)).catch(() => undefined);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}
