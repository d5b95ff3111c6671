import { access } from 'node:fs/promises';

import { RepriseError } from '../errors.js';
import { readRecord } from '../lease/durable-file.js';
import { machineSchema, type Machine } from '../machine/index.js';
import type { VmLayout } from './layout.js';
import { manifestSchema, vmRecordSchema, type VmRecord } from './records.js';
import type { DiskChainPaths, Snapshot } from './store.js';

/** Reading what stands in a VM's directory. */

export async function readVm(vm: VmLayout): Promise<VmRecord> {
  const record = await readRecord(vm.record, vmRecordSchema);
  if (record === undefined) throw vmUnknown(vm.name);
  return record;
}

export async function readMachine(vm: VmLayout): Promise<Machine> {
  const machine = await readRecord(vm.machine, machineSchema);
  if (machine === undefined) throw vmUnknown(vm.name);
  return machine;
}

export function machineRamBytes(machine: Machine): number {
  return machine.memoryMiB * 1024 * 1024;
}

/** A complete snapshot; undefined if it is not here. */
export async function findSnapshot(vm: VmLayout, root: string): Promise<Snapshot | undefined> {
  const paths = vm.snapshot(root);
  const manifest = await readRecord(paths.manifest, manifestSchema);
  if (manifest === undefined) return undefined;
  if (manifest.root !== root) {
    throw new RepriseError(
      'STORE_CORRUPT',
      `${paths.manifest} belongs to another snapshot. Run "reprise doctor", or restore it from a backup.`,
      { context: { root, found: manifest.root } },
    );
  }
  const { directory, ram, device, ramLeaves, diskLeaves, index, inputLog } = paths;
  return {
    vm: vm.name,
    root,
    manifest,
    chain: chainPaths(vm, manifest.disk),
    paths: { directory, ram, device, ramLeaves, diskLeaves, index, inputLog },
  };
}

/** Throws SNAPSHOT_UNKNOWN. */
export async function requireSnapshot(vm: VmLayout, root: string): Promise<Snapshot> {
  const snapshot = await findSnapshot(vm, root);
  if (snapshot !== undefined) return snapshot;
  throw new RepriseError(
    'SNAPSHOT_UNKNOWN',
    `"${vm.name}" has no snapshot ${root.slice(0, 12)} here. "reprise history ${vm.name}" lists those it has.`,
    { context: { vm: vm.name, root } },
  );
}

export function chainPaths(
  vm: VmLayout,
  disk: { base: string; layers: readonly string[] },
): DiskChainPaths {
  return { base: vm.base(disk.base).disk, layers: disk.layers.map((id) => vm.layer(id)) };
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

export function vmUnknown(name: string): RepriseError {
  return new RepriseError(
    'VM_UNKNOWN',
    `There is no VM "${name}" in this store. "reprise vm ls" lists those there are.`,
    { context: { vm: name } },
  );
}
