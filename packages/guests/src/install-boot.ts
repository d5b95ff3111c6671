import { join } from 'node:path';
import { runCommand } from './command.js';
import { GuestError } from './errors.js';
import { digHoles } from './ext4-image.js';
import type { BuildOptions } from './build-options.js';
import type { GuestRecipe } from './recipe.js';

/** What the guest prints on its serial port when its install steps have all succeeded. */
export const INSTALL_MARKER = 'REPRISE-INSTALL-DONE';

/** Ten times what it takes under emulation on two shared cores. */
const INSTALL_TIMEOUT_MS = 15 * 60_000;

/**
 * Boots the guest once, without a display or a network, to run the steps that Debian's packages leave to
 * their installation (caches of libraries, fonts, schemas). Running them inside needs no root outside, and
 * they run with the guest's own programs, whatever the host is.
 *
 * Emulated even where /dev/kvm exists: a node that is there and hangs would hang the build.
 */
export async function installInGuest(
  recipe: GuestRecipe,
  directory: string,
  { onProgress, signal }: BuildOptions,
): Promise<void> {
  onProgress('booting the guest once under emulation to finish its installation');
  const seen = new Set<string>();
  const tail = await runCommand(
    'qemu-system-x86_64',
    [
      ...['-nodefaults', '-no-user-config', '-display', 'none', '-no-reboot'],
      ...['-machine', 'pc-i440fx-7.2', '-cpu', 'qemu64', '-accel', 'tcg', '-m', '512'],
      ...['-serial', 'stdio'],
      ...['-kernel', join(directory, 'vmlinuz'), '-initrd', join(directory, 'initrd')],
      ...['-append', `${recipe.append} reprise.install`],
      ...[
        '-blockdev',
        JSON.stringify({
          driver: 'raw',
          'node-name': 'disk',
          discard: 'unmap',
          'detect-zeroes': 'unmap',
          file: { driver: 'file', filename: join(directory, 'disk.raw'), discard: 'unmap' },
          cache: { direct: false, 'no-flush': true },
        }),
      ],
      ...['-device', 'virtio-blk-pci,drive=disk'],
    ],
    {
      signal,
      timeoutMs: INSTALL_TIMEOUT_MS,
      onLine: (line) => {
        if (line.includes(INSTALL_MARKER)) seen.add(INSTALL_MARKER);
        const step = /^install: (.*)/.exec(line);
        if (step?.[1] !== undefined) onProgress(`in the guest: ${step[1]}`);
      },
    },
  );
  if (!seen.has(INSTALL_MARKER)) {
    throw new GuestError(
      'GUEST_INSTALL_FAILED',
      `The guest ${recipe.name} stopped before its installation was finished. Its last words name the failing step:\n${tail}`,
      { name: recipe.name, tail },
    );
  }
  await digHoles(join(directory, 'disk.raw'), signal);
}
