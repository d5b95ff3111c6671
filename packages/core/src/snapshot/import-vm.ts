import { randomBytes, randomUUID } from 'node:crypto';
import { chmod, copyFile, link, mkdir, rename, rm, stat, truncate } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError, cancelled } from '../errors.js';
import {
  isErrno,
  readRecord,
  renameDurably,
  syncDirectory,
  syncFile,
  temporaryPath,
  writeFileAtomic,
  writeRecord,
} from '../lease/durable-file.js';
import {
  canonicalJson,
  machineDigest,
  machineSchema,
  parseMachine,
  type Machine,
} from '../machine/index.js';
import type { StoreContext } from './context.js';
import { treeOptions, toHex } from './digest-state.js';
import { VmLayout, type StoreLayout } from './layout.js';
import { baseRecordSchema, vmRecordSchema, type VmRecord } from './records.js';
import { digestFile } from './root-digest.js';
import { SECRET_BYTES, readSecret } from './secret.js';
import { copySparse } from './sparse-copy.js';
import { syncTree } from './commit.js';
import type { AdoptVmOptions, BootFile, CreateVmOptions } from './store.js';
import { exists } from './vm-files.js';

/** Kernels and initrds are small; nobody boots a disk image by mistake. */
const MAX_BOOT_FILE_BYTES = 1024 * 1024 * 1024;

export async function putBootFile(
  layout: StoreLayout,
  path: string,
  signal: AbortSignal | undefined,
): Promise<BootFile> {
  const { size } = await stat(path).catch((cause: unknown) => {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `The boot file ${path} cannot be read. Check its name and permissions.`,
      { cause },
    );
  });
  if (size > MAX_BOOT_FILE_BYTES) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `${path} has ${size} bytes; a kernel or initrd has at most 1 GiB. Check which file was meant.`,
    );
  }
  const copy = temporaryPath(join(layout.boot, 'new'));
  try {
    await copyFile(path, copy);
    const { sha256, sizeBytes } = await digestFile(copy, signal); // of the copy: the source may change
    await chmod(copy, 0o400);
    await syncFile(copy);
    const place = layout.bootFile(sha256);
    await link(copy, place).catch((error: unknown) => {
      if (!isErrno(error, 'EEXIST')) throw error; // the same content is here
    });
    await syncDirectory(layout.boot);
    return { sha256, sizeBytes, path: place };
  } finally {
    await rm(copy, { force: true });
  }
}

export async function findBootFile(layout: StoreLayout, sha256: string): Promise<BootFile> {
  const path = layout.bootFile(sha256);
  try {
    return { sha256, sizeBytes: (await stat(path)).size, path };
  } catch (cause) {
    throw new RepriseError(
      'BOOT_FILE_MISSING',
      `The boot file ${sha256.slice(0, 12)}… is not in this store. Import it, or seed the VM again.`,
      { context: { sha256 }, cause },
    );
  }
}

/** Puts a VM together under a temporary name; it appears whole, with its lease, or not at all. */
export async function createVm(context: StoreContext, options: CreateVmOptions): Promise<VmRecord> {
  const { layout } = context;
  const vm = layout.vm(options.name);
  const machine = parseMachine(options.machine);
  if (await exists(vm.directory)) throw vmExists(vm);
  await requireBootFiles(layout, machine);
  const building = new VmLayout(temporaryPath(vm.directory), vm.name);
  await mkdir(building.bases, { recursive: true, mode: 0o700 });
  try {
    const base = await importDisk(context, building, machine, options);
    const record: VmRecord = {
      version: 1,
      id: randomUUID(),
      name: vm.name,
      createdAt: new Date().toISOString(),
      base,
      head: null,
    };
    await fillVm(building, record, machine, randomBytes(SECRET_BYTES));
    const lease = context.leaseIn(building.directory);
    await lease.apply(vm.name, { type: 'import', lineage: randomUUID() });
    await publish(building, vm);
    return record;
  } catch (error) {
    await rm(building.directory, { recursive: true, force: true });
    if (options.signal?.aborted === true) throw cancelled(options.signal);
    throw error;
  }
}

export async function adoptVm(context: StoreContext, options: AdoptVmOptions): Promise<VmRecord> {
  const { layout, lease } = context;
  const vm = layout.vm(options.name);
  const machine = parseMachine(options.machine);
  await requireBootFiles(layout, machine);
  if (options.secret.length !== SECRET_BYTES) throw new Error('a secret has 32 bytes');
  const record: VmRecord = {
    version: 1,
    id: options.id,
    name: vm.name,
    createdAt: options.createdAt,
    base: null,
    head: null,
  };
  const { lineage, ancestors, token } = options;
  const seeded = { type: 'seeded', lineage, ancestors, token } as const;
  const building = new VmLayout(temporaryPath(vm.directory), vm.name);
  const present = await readRecord(vm.record, vmRecordSchema);
  if (present === undefined) {
    await mkdir(building.directory, { recursive: true, mode: 0o700 });
    try {
      await fillVm(building, record, machine, options.secret);
      await context.leaseIn(building.directory).apply(vm.name, seeded);
      await publish(building, vm);
    } catch (error) {
      await rm(building.directory, { recursive: true, force: true });
      throw error;
    }
  } else {
    await requireSame(vm, present, machine, options);
  }
  const state = await lease.state(vm.name);
  const known = state.kind !== 'absent' && state.lineage === lineage && state.token >= token;
  if (!known) {
    await lease.apply(vm.name, seeded);
  }
  return present ?? record;
}

async function importDisk(
  { tree }: StoreContext,
  building: VmLayout,
  machine: Machine,
  options: CreateVmOptions,
): Promise<string> {
  const { onProgress, signal } = options;
  const source = await stat(options.disk).catch((cause: unknown) => {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `The disk image ${options.disk} cannot be read. Check its name and permissions.`,
      { cause },
    );
  });
  if (source.size > machine.diskBytes) {
    throw new RepriseError(
      'INVALID_ARGUMENT',
      `The disk image has ${source.size} bytes, the machine's disk ${machine.diskBytes}. Give the machine a disk that is large enough.`,
    );
  }
  const disk = join(building.bases, 'disk.raw');
  await copySparse(options.disk, disk, {
    signal,
    onProgress:
      onProgress &&
      ((done, total) => {
        onProgress({ step: 'copy disk', done, total });
      }),
  });
  await chmod(disk, 0o600);
  await truncate(disk, machine.diskBytes);
  const leaves = join(building.bases, 'leaves');
  const image = await tree.fileImage(disk);
  const id = toHex(await tree.hashLeaves(image, leaves, treeOptions('digest disk', options)));
  const base = building.base(id);
  await mkdir(base.directory, { mode: 0o700 });
  await rename(disk, base.disk);
  await rename(leaves, base.leaves);
  await writeRecord(base.record, baseRecordSchema, {
    version: 1,
    id,
    sizeBytes: machine.diskBytes,
  });
  await chmod(base.disk, 0o400);
  return id;
}

async function fillVm(
  building: VmLayout,
  record: VmRecord,
  machine: Machine,
  secret: Uint8Array,
): Promise<void> {
  for (const directory of [
    building.bases,
    building.layers,
    building.snapshots,
    building.incomings,
  ]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  await writeFileAtomic(building.secret, secret);
  await writeRecord(building.machine, machineSchema, machine);
  await writeRecord(building.record, vmRecordSchema, record);
  await syncTree(building.directory);
}

async function publish(building: VmLayout, vm: VmLayout): Promise<void> {
  try {
    await renameDurably(building.directory, vm.directory);
  } catch (error) {
    if (isErrno(error, 'ENOTEMPTY', 'EEXIST')) throw vmExists(vm);
    throw error;
  }
}

async function requireBootFiles(layout: StoreLayout, machine: Machine): Promise<void> {
  if (machine.boot.kind !== 'direct') return;
  await findBootFile(layout, machine.boot.kernel);
  if (machine.boot.initrd !== undefined) await findBootFile(layout, machine.boot.initrd);
}

async function requireSame(
  vm: VmLayout,
  present: VmRecord,
  machine: Machine,
  options: AdoptVmOptions,
): Promise<void> {
  const held = await readRecord(vm.machine, machineSchema);
  const secret = await readSecret(vm.secret);
  const same =
    present.id === options.id &&
    held !== undefined &&
    machineDigest(held) === machineDigest(machine) &&
    secret.equals(options.secret);
  if (!same) {
    throw new RepriseError(
      'VM_EXISTS',
      `This host has another VM called "${vm.name}". Remove it here, or seed under another name.`,
      { context: { vm: vm.name, id: present.id, offered: canonicalJson(options.id) } },
    );
  }
}

function vmExists(vm: VmLayout): RepriseError {
  return new RepriseError(
    'VM_EXISTS',
    `There is a VM "${vm.name}" in this store. Choose another name, or remove that one first.`,
    { context: { vm: vm.name } },
  );
}
