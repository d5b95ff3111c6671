import type { BlockRuns } from '@reprise/blkdriver-native';
import type { PageRuns } from '@reprise/differ';

import { RepriseError, cancelled, throwIfCancelled } from '../errors.js';
import { machineDigest } from '../machine/index.js';
import type { StoreContext } from './context.js';
import type { StateLayout, VmLayout } from './layout.js';
import type { TreeOptions } from './ports.js';
import { digestFile, rootDigest } from './root-digest.js';
import type { LongOptions, Snapshot, StateDigests } from './store.js';
import { chainPaths, exists, machineRamBytes, readMachine, requireSnapshot } from './vm-files.js';

/** The digests of a state, and what they were brought up to date from. */
export interface DigestedState {
  readonly digests: StateDigests;
  readonly parent: Snapshot | undefined;
  /** Against the parent; null where a part was hashed whole. */
  readonly changed: { readonly ramPages: number; readonly diskBlocks: number } | null;
  /** Whether the overlay holds anything: an empty one need not become a layer. */
  readonly overlayIsEmpty: boolean;
}

export interface DigestInputs extends LongOptions {
  readonly parent: string | null;
  readonly changedRam?: PageRuns | undefined;
  readonly changedDisk?: BlockRuns | undefined;
  /** Hash all of RAM: it came as a copy, and what did not change must prove as well. */
  readonly wholeRam?: boolean;
  /** How the disk below the overlay is stored; undefined: `disk.raw` in the directory is the disk. */
  readonly disk: { readonly base: string; readonly layers: readonly string[] } | undefined;
}

/**
 * Digests the state in a directory (`ram`, `device`, `overlay/` or `disk.raw`), and leaves its `ram.leaves` and
 * `disk.leaves` there. Only what changed against the parent is hashed; a whole pass is needed for RAM at the first
 * suspend and for what came from another host. Throws WORKING_COPY_MISSING, SNAPSHOT_UNKNOWN, CANCELLED.
 */
export async function digestState(
  context: StoreContext,
  vm: VmLayout,
  state: StateLayout,
  inputs: DigestInputs,
): Promise<DigestedState> {
  for (const path of [state.ram, state.device]) {
    if (!(await exists(path))) throw incomplete(path);
  }
  const machine = await readMachine(vm);
  const parent = inputs.parent === null ? undefined : await requireSnapshot(vm, inputs.parent);
  try {
    const ram = await digestRam(context, state, parent, inputs);
    checkSize('ram', ram.sizeBytes, machineRamBytes(machine));
    const disk = await digestDisk(context, vm, state, parent, inputs);
    checkSize('disk', disk.sizeBytes, machine.diskBytes);
    const device = await digestFile(state.device, inputs.signal);
    const parts = {
      machine: machineDigest(machine),
      ram: { sizeBytes: ram.sizeBytes, root: ram.root },
      disk: { sizeBytes: disk.sizeBytes, root: disk.root },
      device,
    };
    return {
      digests: { root: rootDigest(parts), ...parts },
      parent,
      changed: parent === undefined ? null : { ramPages: ram.changed, diskBlocks: disk.changed },
      overlayIsEmpty: disk.changed === 0,
    };
  } catch (error) {
    if (inputs.signal?.aborted === true) throw cancelled(inputs.signal);
    throw error;
  }
}

interface DigestedPart {
  readonly sizeBytes: number;
  readonly root: string;
  readonly changed: number;
}

async function digestRam(
  { tree }: StoreContext,
  state: StateLayout,
  parent: Snapshot | undefined,
  inputs: DigestInputs,
): Promise<DigestedPart> {
  throwIfCancelled(inputs.signal);
  const options = treeOptions('digest ram', inputs);
  const image = await tree.fileImage(state.ram);
  const sizeBytes = Number(image.sizeBytes);
  if (parent?.manifest.ram.sizeBytes !== sizeBytes) {
    const root = await tree.hashLeaves(image, state.ramLeaves, options);
    return { sizeBytes, root: toHex(root), changed: 0 };
  }
  const changed =
    inputs.changedRam ??
    (await tree.compare(
      await tree.fileImage(parent.paths.ram),
      image,
      treeOptions('compare ram', inputs),
    ));
  const root =
    inputs.wholeRam === true
      ? await tree.hashLeaves(image, state.ramLeaves, options)
      : await tree.updateLeaves(parent.paths.ramLeaves, image, changed, state.ramLeaves, options);
  return { sizeBytes, root: toHex(root), changed: countRuns(changed) };
}

async function digestDisk(
  { tree, disks }: StoreContext,
  vm: VmLayout,
  state: StateLayout,
  parent: Snapshot | undefined,
  inputs: DigestInputs,
): Promise<DigestedPart> {
  throwIfCancelled(inputs.signal);
  const options = treeOptions('digest disk', inputs);
  if (inputs.disk === undefined) {
    const image = await tree.fileImage(state.disk);
    const root = await tree.hashLeaves(image, state.diskLeaves, options);
    return { sizeBytes: Number(image.sizeBytes), root: toHex(root), changed: 0 };
  }
  const below = chainPaths(vm, inputs.disk);
  const overlays = (await exists(state.overlay)) ? [state.overlay] : [];
  const image = await disks.image(below.base, [...below.layers, ...overlays]);
  const changed =
    inputs.changedDisk ??
    (overlays.length > 0 ? await disks.overlayBlocks(overlays) : new BigUint64Array(0));
  // Below the overlay is either the parent's disk or the imported base: both have their leaves.
  const from = parent?.paths.diskLeaves ?? vm.base(inputs.disk.base).leaves;
  const root = await tree.updateLeaves(from, image, changed, state.diskLeaves, options);
  return { sizeBytes: Number(image.sizeBytes), root: toHex(root), changed: countRuns(changed) };
}

/** Blocks or pages in runs `[first, count, …]`. */
export function countRuns(runs: BigUint64Array): number {
  let total = 0n;
  for (let i = 1; i < runs.length; i += 2) total += runs[i] ?? 0n;
  return Number(total);
}

export function treeOptions(step: string, options: LongOptions): TreeOptions {
  const { signal, onProgress } = options;
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(onProgress === undefined
      ? {}
      : {
          onProgress: ({ done, total }) => {
            onProgress({ step, done, total });
          },
        }),
  };
}

export function toHex(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

function checkSize(part: string, found: number, expected: number): void {
  if (found === expected) return;
  throw new RepriseError(
    'ROOT_MISMATCH',
    `The ${part} has ${found} bytes, but the machine says ${expected}. The machine's definition must not change after import; run "reprise doctor".`,
    { context: { part, found, expected } },
  );
}

function incomplete(path: string): RepriseError {
  return new RepriseError(
    'WORKING_COPY_MISSING',
    `${path} is missing: the VM was not suspended completely. Discard the session and start the VM again.`,
    { context: { path } },
  );
}
