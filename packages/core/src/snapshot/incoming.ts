import { mkdir, rename, rm } from 'node:fs/promises';

import { RepriseError } from '../errors.js';
import { isErrno, syncDirectory, temporaryPath } from '../lease/durable-file.js';
import { commitState } from './commit.js';
import type { StoreContext } from './context.js';
import { digestState, type DigestedState } from './digest-state.js';
import type { StateLayout, VmLayout } from './layout.js';
import { rootDigest } from './root-digest.js';
import { listDirectory } from './sweep.js';
import type { CommitIncomingOptions, DigestOptions, Incoming } from './store.js';
import { exists, requireSnapshot } from './vm-files.js';

/** Staging of what arrives. It outlives interruptions, so that a migration or a seed goes on where it was. */
export async function openIncoming(vm: VmLayout, root: string): Promise<Incoming> {
  const place = vm.incoming(root);
  await mkdir(place.directory, { recursive: true, mode: 0o700 });
  await syncDirectory(vm.incomings);
  return describe(root, place);
}

export async function listIncoming(vm: VmLayout): Promise<Incoming[]> {
  return (await listDirectory(vm.incomings))
    .filter((entry) => /^[0-9a-f]{64}$/.test(entry))
    .map((root) => describe(root, vm.incoming(root)));
}

export async function discardIncoming(vm: VmLayout, root: string): Promise<void> {
  const { directory } = vm.incoming(root);
  const doomed = temporaryPath(directory);
  try {
    await rename(directory, doomed);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  await rm(doomed, { recursive: true, force: true });
}

export async function digestIncoming(
  context: StoreContext,
  vm: VmLayout,
  root: string,
  options: DigestOptions,
): Promise<DigestedState> {
  const state = vm.incoming(root);
  return digestState(context, vm, state, {
    signal: options.signal,
    onProgress: options.onProgress,
    parent: options.parent,
    changedRam: options.changed?.ram,
    changedDisk: options.changed?.disk,
    wholeRam: true,
    disk: await diskBelow(vm, state, options.parent),
  });
}

export async function commitIncoming(
  vm: VmLayout,
  root: string,
  options: CommitIncomingOptions,
): Promise<void> {
  const { digests } = options;
  if (digests.root !== root || rootDigest(digests) !== root) {
    throw new RepriseError(
      'ROOT_MISMATCH',
      'What arrived does not prove equal to the source. Nothing was taken over; migrate again.',
      { context: { expected: root, found: digests.root } },
    );
  }
  const state = vm.incoming(root);
  const parent = options.parent === null ? undefined : await requireSnapshot(vm, options.parent);
  await commitState(vm, {
    from: `incoming/${root}`,
    state,
    digested: {
      digests,
      parent,
      changed: null,
      overlayIsEmpty: !(await exists(state.overlay)),
    },
    disk: await diskBelow(vm, state, options.parent),
    createdAt: options.createdAt,
    session: options.session,
    head: null,
  });
}

/** A migration lies on its parent's disk; a seed brings a whole one. */
async function diskBelow(vm: VmLayout, state: StateLayout, parent: string | null) {
  if (parent !== null) return (await requireSnapshot(vm, parent)).manifest.disk;
  if (await exists(state.disk)) return undefined;
  throw new RepriseError(
    'WORKING_COPY_MISSING',
    'The disk has not arrived. Run the same command again to go on.',
    { context: { directory: state.directory } },
  );
}

function describe(root: string, place: StateLayout): Incoming {
  const { directory, ram, device, overlay, disk, ramLeaves, diskLeaves, inputLog } = place;
  return { root, directory, ram, device, overlay, disk, ramLeaves, diskLeaves, inputLog };
}
