import type { BootFiles } from '../hypervisor/index.js';
import type { Machine } from '../machine/index.js';
import type { SnapshotStore } from '../snapshot/index.js';

/** The kernel and initrd that a direct boot needs, from the store. Throws BOOT_FILE_MISSING. */
export async function bootFilesOf(
  store: SnapshotStore,
  machine: Machine,
): Promise<BootFiles | undefined> {
  if (machine.boot.kind !== 'direct') return undefined;
  const kernel = await store.bootFile(machine.boot.kernel);
  if (machine.boot.initrd === undefined) return { kernel: kernel.path };
  const initrd = await store.bootFile(machine.boot.initrd);
  return { kernel: kernel.path, initrd: initrd.path };
}
