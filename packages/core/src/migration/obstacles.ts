import { obstaclesToRun } from '../hypervisor/index.js';
import { machineDigest } from '../machine/index.js';
import type { Content } from '../protocol/index.js';
import { freeBytes, type SnapshotStore, type VmRecord } from '../snapshot/index.js';

/** What stays free beside what a migration needs. */
const SPARE_BYTES = 64 * 1024 * 1024;

/** Why this host cannot take the VM, each a sentence. */
export async function obstaclesTo(
  store: SnapshotStore,
  vm: VmRecord | undefined,
  meet: Content<'meet'>,
): Promise<string[]> {
  const obstacles = await obstaclesToRun(meet.machine);
  if (
    vm !== undefined &&
    machineDigest(await store.machine(vm.name)) !== machineDigest(meet.machine)
  ) {
    obstacles.push('the machine is defined differently there');
  }
  // A replay works on a copy of the RAM, and the target's RAM stands beside it.
  const needed = 2 * meet.machine.memoryMiB * 1024 * 1024 + meet.occupiedBytes + SPARE_BYTES;
  const free = await freeBytes(store.home);
  if (free < needed) {
    obstacles.push(`it has ${gigabytes(free)} free and needs ${gigabytes(needed)}`);
  }
  return obstacles;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
