import { randomInt } from 'node:crypto';
import { stat } from 'node:fs/promises';

import { parseMachine, probeAccelerator, RepriseError, type Accelerator } from '@reprise/core';

import type { Context } from '../context.js';

export interface ImportOptions {
  readonly disk: string;
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly memory: string;
  readonly cpus: string;
  readonly accel: 'auto' | Accelerator;
  readonly cpuModel: string;
  readonly machineType: string;
  readonly display: string;
  readonly network: string;
  readonly clock: 'host' | 'virtual';
  readonly frames?: 'log' | 'drop';
}

/** `vm import`: defines a machine and copies its disk and boot files into the store. */
export async function vmImport(context: Context, name: string, o: ImportOptions): Promise<void> {
  const disk = await stat(o.disk).catch((cause: unknown) => {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `There is no disk image at ${o.disk}. Give the path of a raw image.`,
      {
        cause,
      },
    );
  });
  const [width, height] = o.display.split('x').map(Number);
  const accelerator = await acceleratorFor(context, o);
  await using store = await context.openStore();
  const boot =
    o.kernel === undefined
      ? { kind: 'firmware' as const }
      : {
          kind: 'direct' as const,
          kernel: (await store.putBootFile(o.kernel)).sha256,
          ...(o.initrd === undefined ? {} : { initrd: (await store.putBootFile(o.initrd)).sha256 }),
          append: o.append ?? '',
        };
  const machine = parseMachine({
    version: 1,
    hypervisor: 'qemu',
    ...{ accelerator, boot },
    machineType: o.machineType,
    cpuModel: o.cpuModel,
    cpus: Number(o.cpus),
    memoryMiB: Number(o.memory),
    diskBytes: Math.ceil(disk.size / 4096) * 4096,
    display: { width, height },
    network: o.network,
    clock: o.clock,
    ...(o.frames === undefined ? {} : { inboundFrames: o.frames }),
    clockBase: new Date().toISOString().slice(0, 19),
    seed: randomInt(2 ** 32),
  });
  const vm = await store.createVm({ name, machine, disk: o.disk, signal: context.signal });
  context.output.result(
    { vm, machine },
    () => `'${name}' is imported. Start it: reprise start ${name}`,
  );
}

/** A virtual clock counts instructions, which only an emulator does. */
async function acceleratorFor(context: Context, o: ImportOptions): Promise<Accelerator> {
  if (o.accel !== 'auto') return o.accel;
  return o.clock === 'virtual' ? 'tcg' : await pickAccelerator(context);
}

/** KVM where a guest really runs under it, emulation otherwise. */
async function pickAccelerator({ output }: Context): Promise<Accelerator> {
  const kvm = await probeAccelerator('kvm', { timeoutMs: 10_000 });
  if (kvm.usable) return 'kvm';
  output.note(`KVM cannot be used (${kvm.reason}); the VM will be emulated.`);
  return 'tcg';
}
