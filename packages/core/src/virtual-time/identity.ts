import { z } from 'zod';

import { findProgram } from '../process/index.js';
import { sha256Hex } from '../machine/index.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from '../hypervisor/qemu/program.js';

import { buildDigest, ICOUNT_SHIFT, TICK_NS, vclockPlugin } from './plugin.js';

/** What has to be equal on both hosts for a replay to be exact. The machine's own definition is compared apart. */
export const virtualTimeIdentity = z.strictObject({
  /** SHA-256 of the program and of the plugin: another build may translate or time things otherwise. */
  qemu: sha256Hex,
  plugin: sha256Hex,
  shift: z.int().min(0).max(10),
  tickNs: z.int().min(1),
});
export type VirtualTimeIdentity = z.infer<typeof virtualTimeIdentity>;

/** What this host has. Throws MISSING_PROGRAM, VIRTUAL_TIME_UNAVAILABLE. */
export async function identifyVirtualTime(): Promise<VirtualTimeIdentity> {
  const [qemu, plugin] = await Promise.all([
    findProgram(QEMU_PROGRAM, QEMU_PACKAGE).then(buildDigest),
    vclockPlugin().then(buildDigest),
  ]);
  return { qemu, plugin, shift: ICOUNT_SHIFT, tickNs: TICK_NS };
}

/** Why two hosts would not replay alike; undefined when they do. */
export function differenceBetween(
  here: VirtualTimeIdentity,
  there: VirtualTimeIdentity,
): string | undefined {
  if (here.qemu !== there.qemu) return 'its QEMU is another build';
  if (here.plugin !== there.plugin) return 'its plugin for virtual time is another build';
  if (here.shift !== there.shift || here.tickNs !== there.tickNs) {
    return 'its virtual clock runs at another rate';
  }
  return undefined;
}
