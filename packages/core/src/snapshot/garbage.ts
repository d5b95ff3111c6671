import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { syncDirectory, temporaryPath } from '../lease/durable-file.js';
import type { StoreContext } from './context.js';
import type { VmLayout } from './layout.js';
import { listIncoming } from './incoming.js';
import { readPeers } from './peers.js';
import { occupiedBytes } from './space.js';
import { listDirectory } from './sweep.js';
import type { Collection } from './store.js';
import { listWorkingRecords } from './working-copies.js';
import { findSnapshot, readVm } from './vm-files.js';

/**
 * Mark and sweep. What is kept, and why the order of deletion makes it safe to be interrupted: docs/formats/store.md,
 * "What is kept". Runs under the VM's lock, so no commit is half way.
 */
export async function collectGarbage(context: StoreContext, vm: VmLayout): Promise<Collection> {
  if ((await listIncoming(vm)).length > 0) return NOTHING; // it may lie on any snapshot
  const roots = await rootsToKeep(context, vm);
  const working = await listWorkingRecords(vm);
  const layers = new Set(working.flatMap((record) => record.disk.layers));
  const bases = new Set(working.map((record) => record.disk.base));
  const { base } = await readVm(vm);
  if (base !== null) bases.add(base);
  for (const root of roots) {
    const snapshot = await findSnapshot(vm, root);
    if (snapshot === undefined) continue;
    for (const layer of snapshot.manifest.disk.layers) layers.add(layer);
    bases.add(snapshot.manifest.disk.base);
  }
  const snapshots = await removeUnmarked(vm.snapshots, roots);
  const oldLayers = await removeUnmarked(vm.layers, layers);
  const oldBases = await removeUnmarked(vm.bases, bases);
  return {
    snapshots: snapshots.names,
    layers: oldLayers.names,
    bases: oldBases.names,
    freedBytes: snapshots.bytes + oldLayers.bytes + oldBases.bytes,
  };
}

const NOTHING: Collection = { snapshots: [], layers: [], bases: [], freedBytes: 0 };

/** Snapshots that somebody may still start from, or compare with. */
async function rootsToKeep(context: StoreContext, vm: VmLayout): Promise<Set<string>> {
  const roots = new Set<string>();
  const { head } = await readVm(vm);
  if (head !== null) {
    roots.add(head.root);
    const snapshot = await findSnapshot(vm, head.root);
    const parent = snapshot?.manifest.parent ?? null;
    if (parent !== null) roots.add(parent);
  }
  for (const record of await listWorkingRecords(vm)) {
    if (record.base !== null) roots.add(record.base);
    if (record.parent !== null) roots.add(record.parent);
  }
  for (const peer of await readPeers(vm)) roots.add(peer.root);
  const lease = await context.lease.state(vm.name);
  if ('offer' in lease) roots.add(lease.offer.root);
  if (lease.kind === 'holds' && lease.root !== null) roots.add(lease.root);
  return roots;
}

async function removeUnmarked(
  directory: string,
  marked: ReadonlySet<string>,
): Promise<{ names: string[]; bytes: number }> {
  const names: string[] = [];
  let bytes = 0;
  for (const name of await listDirectory(directory)) {
    if (marked.has(name) || name.includes('.tmp-')) continue;
    const path = join(directory, name);
    bytes += await occupiedBytes(path);
    const doomed = temporaryPath(path); // a half-removed directory never keeps its name
    await rename(path, doomed);
    await syncDirectory(directory);
    await rm(doomed, { recursive: true, force: true });
    names.push(name);
  }
  return { names, bytes };
}
