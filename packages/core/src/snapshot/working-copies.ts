import { mkdir, open, rename, rm } from 'node:fs/promises';

import { RepriseError } from '../errors.js';
import {
  isErrno,
  readRecord,
  syncDirectory,
  temporaryPath,
  writeRecord,
} from '../lease/durable-file.js';
import { commitState } from './commit.js';
import type { StoreContext } from './context.js';
import { digestState } from './digest-state.js';
import { headUnderLease } from './heads.js';
import { stateLayout, type VmLayout } from './layout.js';
import { workingRecordSchema, type WorkingRecord } from './records.js';
import { listDirectory } from './sweep.js';
import { copySparse } from './sparse-copy.js';
import type { CommitOptions, Snapshot, WorkingCopy, WorkingCopyOptions } from './store.js';
import {
  chainPaths,
  exists,
  machineRamBytes,
  readMachine,
  readVm,
  requireSnapshot,
} from './vm-files.js';

/** Builds a working copy under a temporary name and renames it into place: it is whole or not there. */
export async function createWorkingCopy(
  { disks }: StoreContext,
  vm: VmLayout,
  options: WorkingCopyOptions,
): Promise<WorkingCopy> {
  const place = vm.workingCopy(options.scratch);
  if (await exists(place.directory)) throw alreadyThere(vm, options.scratch);
  const { disk, base, parent, sizeBytes } = await chooseStart(vm, options.from ?? 'head');
  const record: WorkingRecord = {
    version: 1,
    base: base?.root ?? null,
    parent: parent?.root ?? null,
    startedAt: new Date().toISOString(),
    disk,
  };
  if (options.scratch !== undefined) await mkdir(vm.scratches, { recursive: true, mode: 0o700 });
  const building = stateLayout(temporaryPath(place.directory));
  await mkdir(building.directory, { mode: 0o700 });
  try {
    if (base === undefined) {
      await createEmpty(building.ram, machineRamBytes(await readMachine(vm)));
    } else {
      const { onProgress, signal } = options;
      // Not synced: a working copy's RAM is worth nothing after a power loss.
      await copySparse(base.paths.ram, building.ram, {
        signal,
        sync: false,
        onProgress:
          onProgress &&
          ((done, total) => {
            onProgress({ step: 'copy ram', done, total });
          }),
      });
    }
    await disks.createOverlay(building.overlay, BigInt(sizeBytes));
    await writeRecord(building.working, workingRecordSchema, record);
    await rename(building.directory, place.directory);
    await syncDirectory(vm.directory);
  } catch (error) {
    await rm(building.directory, { recursive: true, force: true });
    throw error;
  }
  return describe(vm, options.scratch, record);
}

interface Start {
  readonly disk: WorkingRecord['disk'];
  /** Loaded into RAM; undefined: a cold boot. */
  readonly base: Snapshot | undefined;
  /** Whose disk it is; undefined: the imported base. */
  readonly parent: Snapshot | undefined;
  readonly sizeBytes: number;
}

async function chooseStart(vm: VmLayout, from: string): Promise<Start> {
  const record = await readVm(vm);
  const root = from === 'head' || from === 'cold' ? record.head?.root : from;
  if (root !== undefined) {
    const parent = await requireSnapshot(vm, root);
    const { base, layers, sizeBytes } = parent.manifest.disk;
    return {
      disk: { base, layers },
      base: from === 'cold' ? undefined : parent,
      parent,
      sizeBytes,
    };
  }
  if (record.base === null) {
    throw new RepriseError(
      'VM_NEVER_SUSPENDED',
      `"${vm.name}" has no snapshot here yet. Seed it again from the host that has it.`,
      { context: { vm: vm.name } },
    );
  }
  const { diskBytes } = await readMachine(vm);
  return {
    disk: { base: record.base, layers: [] },
    base: undefined,
    parent: undefined,
    sizeBytes: diskBytes,
  };
}

export async function findWorkingCopy(
  vm: VmLayout,
  scratch: string | undefined,
): Promise<WorkingCopy | undefined> {
  const record = await readRecord(vm.workingCopy(scratch).working, workingRecordSchema);
  return record === undefined ? undefined : describe(vm, scratch, record);
}

/** Of the main and the scratch copies: what they stand on. */
export async function listWorkingRecords(vm: VmLayout): Promise<WorkingRecord[]> {
  const scratches = await listDirectory(vm.scratches);
  const records: WorkingRecord[] = [];
  for (const scratch of [undefined, ...scratches.filter((name) => !name.includes('.tmp-'))]) {
    const record = await readRecord(vm.workingCopy(scratch).working, workingRecordSchema);
    if (record !== undefined) records.push(record);
  }
  return records;
}

export async function discardWorkingCopy(vm: VmLayout, scratch: string | undefined): Promise<void> {
  const { directory } = vm.workingCopy(scratch);
  const doomed = temporaryPath(directory);
  try {
    await rename(directory, doomed); // at once: nobody finds half a working copy
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return;
    throw error;
  }
  await rm(doomed, { recursive: true, force: true });
}

export async function commitWorkingCopy(
  context: StoreContext,
  vm: VmLayout,
  options: CommitOptions,
): Promise<string> {
  const state = vm.workingCopy(undefined);
  const record = await readRecord(state.working, workingRecordSchema);
  if (record === undefined) {
    throw new RepriseError(
      'WORKING_COPY_MISSING',
      `"${vm.name}" has no session to keep. Start it first.`,
      { context: { vm: vm.name } },
    );
  }
  const digested = await digestState(context, vm, state, {
    ...options,
    parent: record.parent,
    disk: record.disk,
  });
  const head = await headUnderLease(context, vm, digested.digests.root);
  if (head === null) {
    throw new RepriseError(
      'HELD_ELSEWHERE',
      `"${vm.name}" is not this host's to change any more, so its session was not kept as a snapshot; it stands in ${state.directory}. Decide with "reprise force-take" or discard it.`,
      { context: { vm: vm.name } },
    );
  }
  await commitState(vm, {
    from: 'working',
    state,
    digested,
    disk: record.disk,
    createdAt: new Date().toISOString(),
    session: options.session,
    head,
  });
  return digested.digests.root;
}

function describe(vm: VmLayout, scratch: string | undefined, record: WorkingRecord): WorkingCopy {
  const { directory, ram, device, overlay, inputLog } = vm.workingCopy(scratch);
  return {
    vm: vm.name,
    scratch,
    base: record.base,
    parent: record.parent,
    startedAt: record.startedAt,
    disk: { ...chainPaths(vm, record.disk), overlay },
    paths: {
      directory,
      ram,
      device,
      resumeFrom: record.base === null ? undefined : vm.snapshot(record.base).device,
      inputLog,
    },
  };
}

async function createEmpty(path: string, sizeBytes: number): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.truncate(sizeBytes);
  } finally {
    await file.close();
  }
}

function alreadyThere(vm: VmLayout, scratch: string | undefined): RepriseError {
  return new RepriseError(
    'WORKING_COPY_EXISTS',
    scratch === undefined
      ? `"${vm.name}" has a session that was not suspended. If it does not run any more, discard it; what it wrote is then lost.`
      : `A replay of "${vm.name}" is in the way. Discard its working copy.`,
    { context: { vm: vm.name, scratch } },
  );
}
