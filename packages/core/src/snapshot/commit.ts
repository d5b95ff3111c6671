import { randomBytes } from 'node:crypto';
import { chmod, copyFile, mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import {
  readRecord,
  renameDurably,
  syncDirectory,
  syncFile,
  writeRecord,
} from '../lease/durable-file.js';
import { sweepTemporaries } from './sweep.js';
import type { DigestedState } from './digest-state.js';
import type { StateLayout, VmLayout } from './layout.js';
import {
  baseRecordSchema,
  commitRecordSchema,
  manifestSchema,
  vmRecordSchema,
  type CommitRecord,
  type Head,
  type Manifest,
  type SessionSummary,
} from './records.js';
import { exists, readVm } from './vm-files.js';

/**
 * How a directory with a suspended state becomes a snapshot: by renames, driven by a redo record. Before the record is on disk
 * nothing has happened; after it everything will, if need be when the store is next opened. docs/formats/store.md, "Write order".
 */
export interface CommitPlan {
  readonly from: CommitRecord['from'];
  readonly state: StateLayout;
  readonly digested: DigestedState;
  /** How the disk below `overlay` is stored; undefined: `disk.raw` is the whole disk. */
  readonly disk: { readonly base: string; readonly layers: readonly string[] } | undefined;
  readonly createdAt: string;
  readonly session: SessionSummary | undefined;
  readonly head: Head | null;
}

/** Steps 1 to 6; resolves when the snapshot is complete and on stable storage. */
export async function commitState(vm: VmLayout, plan: CommitPlan): Promise<void> {
  const { state, digested } = plan;
  const { digests } = digested;
  const hasOverlay = plan.disk !== undefined && !digested.overlayIsEmpty;
  const layer = hasOverlay ? randomBytes(16).toString('hex') : null;
  const disk =
    plan.disk === undefined
      ? { base: digests.disk.root, layers: [] }
      : { base: plan.disk.base, layers: [...plan.disk.layers, ...(layer === null ? [] : [layer])] };
  const manifest: Manifest = {
    version: 1,
    root: digests.root,
    parent: digested.parent?.root ?? null,
    createdAt: plan.createdAt,
    machineDigest: digests.machine,
    ram: digests.ram,
    disk: { ...digests.disk, ...disk },
    device: digests.device,
    session: plan.session ?? null,
    changed: digested.changed,
  };
  await sweepTemporaries([state.directory]); // an earlier attempt may have died here
  await writeRecord(state.manifest, manifestSchema, manifest);
  await syncTree(state.directory);
  const record: CommitRecord = {
    version: 1,
    root: digests.root,
    from: plan.from,
    layer,
    base: plan.disk === undefined ? digests.disk.root : null,
    head: plan.head,
  };
  await writeRecord(vm.commit, commitRecordSchema, record);
  await finishCommit(vm, record);
}

/** Finishes a commit that a crash interrupted; true if there was one. */
export async function recoverCommit(vm: VmLayout): Promise<boolean> {
  const record = await readRecord(vm.commit, commitRecordSchema);
  if (record === undefined) return false;
  await finishCommit(vm, record);
  return true;
}

/** Steps 3 to 6. Each finds out for itself whether it was done before. */
async function finishCommit(vm: VmLayout, record: CommitRecord): Promise<void> {
  const state =
    record.from === 'working'
      ? vm.workingCopy(undefined)
      : vm.incoming(record.from.slice('incoming/'.length));
  const target = vm.snapshot(record.root);
  if (await exists(state.directory)) {
    if (record.layer !== null) await moveOnce(state.overlay, vm.layer(record.layer));
    if (record.base !== null) await moveBase(vm, state, record.base);
    if (await exists(target.manifest)) {
      // The guest came back to a state that is here already: the same bytes, so the older copy serves.
      await rm(state.directory, { recursive: true, force: true });
    } else {
      await rm(state.overlay, { recursive: true, force: true });
      await rm(state.working, { force: true });
      for (const path of [state.ram, state.device, state.ramLeaves, state.diskLeaves]) {
        await chmod(path, 0o400);
      }
      await renameDurably(state.directory, target.directory);
    }
  }
  if (!(await exists(target.manifest))) throw vanished(vm, record);
  if (record.head !== null) await writeHead(vm, record.head);
  await rm(vm.commit, { force: true });
  await syncDirectory(vm.directory);
}

export async function writeHead(vm: VmLayout, head: Head): Promise<void> {
  await writeRecord(vm.record, vmRecordSchema, { ...(await readVm(vm)), head });
}

async function moveOnce(from: string, to: string): Promise<void> {
  if (await exists(from)) await renameDurably(from, to);
}

/** A base is whole under its name or not there: it is put together inside the source directory first. */
async function moveBase(vm: VmLayout, state: StateLayout, id: string): Promise<void> {
  const target = vm.base(id);
  const building = join(state.directory, 'base');
  if (!(await exists(target.directory))) {
    await mkdir(building, { recursive: true, mode: 0o700 });
    const leaves = join(building, 'leaves');
    await copyFile(state.diskLeaves, leaves);
    await syncFile(leaves);
    if (await exists(state.disk)) await rename(state.disk, join(building, 'disk.raw'));
    const { size } = await stat(join(building, 'disk.raw'));
    await writeRecord(join(building, 'base.json'), baseRecordSchema, {
      version: 1,
      id,
      sizeBytes: size,
    });
    await chmod(join(building, 'disk.raw'), 0o400);
    await syncDirectory(building);
    await renameDurably(building, target.directory);
  }
  await rm(state.disk, { force: true });
  await rm(building, { recursive: true, force: true });
}

/** Puts a directory and everything in it on stable storage. */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) await syncTree(path);
    else if (entry.isFile()) await syncFile(path);
  }
  await syncDirectory(directory);
}

function vanished(vm: VmLayout, record: CommitRecord): RepriseError {
  return new RepriseError(
    'STORE_CORRUPT',
    `A commit of "${vm.name}" was interrupted, and its files are gone from ${record.from}. Restore the VM's directory from a backup.`,
    { context: { root: record.root } },
  );
}
