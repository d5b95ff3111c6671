import { randomBytes } from 'node:crypto';
import { mkdir, rename, rm } from 'node:fs/promises';

import { throwIfCancelled } from '../errors.js';
import { syncDirectory, temporaryPath, writeRecord } from '../lease/durable-file.js';
import type { StoreContext } from './context.js';
import { syncTree } from './commit.js';
import { listDirectory } from './sweep.js';
import type { VmLayout } from './layout.js';
import { manifestSchema } from './records.js';
import { occupiedBytes, requireSpace } from './space.js';
import type { Consolidation, LongOptions } from './store.js';
import { findSnapshot, readVm, requireSnapshot } from './vm-files.js';

/** Reads get slower with every layer; merging costs a copy of what the layers hold. */
export const LONG_CHAIN = 8;

/**
 * Merges every layer below the newest of the head's chain into one. The newest stays apart, because the next migration wants to know
 * what the last session wrote. Manifests that share those layers are pointed at the merged one; roots say nothing of layers,
 * so none changes. Old layers go with the next garbage collection, once nothing names them: an interruption leaves at worst an unused layer.
 */
export async function consolidate(
  { disks }: StoreContext,
  vm: VmLayout,
  options: LongOptions & { longerThan?: number },
): Promise<Consolidation | undefined> {
  throwIfCancelled(options.signal);
  const { head } = await readVm(vm);
  if (head === null) return undefined;
  const { layers } = (await requireSnapshot(vm, head.root)).manifest.disk;
  if (layers.length < 3 || layers.length <= (options.longerThan ?? LONG_CHAIN)) return undefined;
  const old = layers.slice(0, -1);
  const merged = await mergeInto(vm, old, disks, options.signal);
  for (const root of await listDirectory(vm.snapshots)) {
    if (root.includes('.tmp-')) continue;
    const snapshot = await findSnapshot(vm, root);
    if (snapshot === undefined || !old.every((id, i) => snapshot.manifest.disk.layers[i] === id))
      continue;
    const { disk } = snapshot.manifest;
    const shortened = [merged, ...disk.layers.slice(old.length)];
    await writeRecord(vm.snapshot(root).manifest, manifestSchema, {
      ...snapshot.manifest,
      disk: { ...disk, layers: shortened },
    });
  }
  return { merged: old.length, layer: merged };
}

async function mergeInto(
  vm: VmLayout,
  layers: readonly string[],
  disks: StoreContext['disks'],
  signal: AbortSignal | undefined,
): Promise<string> {
  const paths = layers.map((id) => vm.layer(id));
  let needed = 0;
  for (const path of paths) needed += await occupiedBytes(path);
  await requireSpace(vm.layers, needed);
  const id = randomBytes(16).toString('hex');
  const building = temporaryPath(vm.layer(id));
  await mkdir(vm.layers, { recursive: true, mode: 0o700 });
  try {
    await disks.mergeOverlays(building, paths, signal);
    throwIfCancelled(signal);
    await syncTree(building);
    await rename(building, vm.layer(id));
    await syncDirectory(vm.layers);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throwIfCancelled(signal);
    throw error;
  }
  return id;
}
