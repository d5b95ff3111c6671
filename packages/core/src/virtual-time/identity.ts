import { z } from 'zod';

import { findProgram } from '../process/index.js';
import { sha256Hex, type Machine } from '../machine/index.js';
import { argumentsDigest } from '../hypervisor/qemu/arguments.js';
import { firmwareDigest } from '../hypervisor/qemu/firmware.js';
import { QEMU_PACKAGE, QEMU_PROGRAM } from '../hypervisor/qemu/program.js';
import { buildDigest, ICOUNT_SHIFT, vclockPlugin } from '../hypervisor/qemu/vclock-plugin.js';
import { TICK_NS } from '../hypervisor/virtual-clock.js';

/** What guests in virtual time run on here, whatever their machine. */
export const virtualTimeIdentity = z.strictObject({
  /** SHA-256 of the program and of the plugin: another build may translate or time things otherwise. */
  qemu: sha256Hex,
  plugin: sha256Hex,
  shift: z.int().min(0).max(10),
  tickNs: z.int().min(1),
});
export type VirtualTimeIdentity = z.infer<typeof virtualTimeIdentity>;

/** What has to be equal on both hosts for a replay to be exact. The machine's own definition is compared apart. */
export const replayIdentity = virtualTimeIdentity.extend({
  /** SHA-256 of QEMU's arguments, the paths of a run left out. */
  arguments: sha256Hex,
  /** SHA-256 of the firmware and ROMs, which run again when a guest boots again. */
  firmware: sha256Hex,
});
export type ReplayIdentity = z.infer<typeof replayIdentity>;

/** What replays of this machine run on here. Throws MISSING_PROGRAM, VIRTUAL_TIME_UNAVAILABLE. */
export async function identifyReplay(machine: Machine): Promise<ReplayIdentity> {
  const program = await findProgram(QEMU_PROGRAM, QEMU_PACKAGE);
  return {
    ...(await identifyVirtualTime()),
    arguments: argumentsDigest(machine),
    firmware: await firmwareDigest(program),
  };
}

/** What this host has. Throws MISSING_PROGRAM, VIRTUAL_TIME_UNAVAILABLE. */
export async function identifyVirtualTime(): Promise<VirtualTimeIdentity> {
  const [qemu, plugin] = await Promise.all([
    findProgram(QEMU_PROGRAM, QEMU_PACKAGE).then(buildDigest),
    vclockPlugin().then(buildDigest),
  ]);
  return { qemu, plugin, shift: ICOUNT_SHIFT, tickNs: TICK_NS };
}

/** Why two hosts would not replay alike; undefined when they do. */
export function differenceBetween(here: ReplayIdentity, there: ReplayIdentity): string | undefined {
  if (here.qemu !== there.qemu) return 'its QEMU is another build';
  if (here.plugin !== there.plugin) return 'its plugin for virtual time is another build';
  if (here.shift !== there.shift || here.tickNs !== there.tickNs) {
    return 'its virtual clock runs at another rate';
  }
  if (here.arguments !== there.arguments) {
    return 'its reprise starts QEMU with other arguments; run the same version on both hosts';
  }
  if (here.firmware !== there.firmware) return "its QEMU's firmware is another build";
  return undefined;
}
