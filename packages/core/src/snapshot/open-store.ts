import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { RepriseError } from '../errors.js';
import { isErrno, readRecord, syncDirectory, writeRecord } from '../lease/durable-file.js';
import { ExclusiveLock, FileLease } from '../lease/index.js';
import { recoverCommit } from './commit.js';
import type { StoreContext } from './context.js';
import { EmbeddedStore } from './embedded-store.js';
import { listDirectory, sweepTemporaries } from './sweep.js';
import { StoreLayout } from './layout.js';
import { nativeDigestTree, nativeDiskLayers } from './native-ports.js';
import type { DigestTree, DiskLayers } from './ports.js';
import { hostRecordSchema, STORE_VERSION, storeRecordSchema, vmName } from './records.js';
import type { SnapshotStore } from './store.js';
import { exists } from './vm-files.js';
import { VM_LOCK } from './vm-lock.js';

export interface OpenStoreOptions {
  readonly home: string;
  /** Default: the differ. */
  readonly tree?: DigestTree;
  /** Default: the block driver. */
  readonly disks?: DiskLayers;
}

/**
 * Opens the embedded store; creates it if there is none. Finishes commits that a crash interrupted and sweeps what dead processes
 * left, except in VMs that another process is working on. Throws STORE_VERSION, STORE_CORRUPT.
 */
export async function openStore(options: OpenStoreOptions): Promise<SnapshotStore> {
  const layout = new StoreLayout(options.home);
  for (const directory of [layout.home, layout.boot, layout.vms, layout.trash]) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
  }
  const hostId = await prepareRecords(layout);
  const context: StoreContext = {
    layout,
    hostId,
    lease: new FileLease({ hostId, directoryOf: (name) => layout.vm(name).directory }),
    leaseIn: (directory) => new FileLease({ hostId, directoryOf: () => directory }),
    tree: options.tree ?? nativeDigestTree(),
    disks: options.disks ?? nativeDiskLayers,
  };
  await recover(layout);
  return new EmbeddedStore(context);
}

/** `store.json` and `host.json`; resolves to the host's id. */
async function prepareRecords(layout: StoreLayout): Promise<string> {
  const version = (await readRecord(layout.store, storeRecordSchema))?.version;
  if (version !== undefined && version > STORE_VERSION) {
    throw new RepriseError(
      'STORE_VERSION',
      `The store ${layout.home} has format ${version}; this reprise knows ${STORE_VERSION}. Use the newer reprise that wrote it.`,
      { context: { home: layout.home, version } },
    );
  }
  const host = await readRecord(layout.host, hostRecordSchema);
  if (version !== undefined && host !== undefined) return host.hostId;
  return ExclusiveLock.during(layout.home, 'init', {}, async () => {
    const present = await readRecord(layout.host, hostRecordSchema); // another process was first
    const hostId = present?.hostId ?? randomUUID();
    if (present === undefined) {
      const createdAt = new Date().toISOString();
      await writeRecord(layout.host, hostRecordSchema, { version: 1, hostId, createdAt });
    }
    await writeRecord(layout.store, storeRecordSchema, { version: STORE_VERSION });
    await syncDirectory(layout.home);
    return hostId;
  });
}

async function recover(layout: StoreLayout): Promise<void> {
  await sweepTemporaries([layout.home, layout.boot, layout.vms, layout.trash]);
  for (const name of await listDirectory(layout.vms)) {
    if (!vmName.safeParse(name).success || name.includes('.tmp-')) continue;
    const vm = layout.vm(name);
    if (!(await exists(vm.record))) continue;
    const lock = await ExclusiveLock.tryAcquire(vm.directory, VM_LOCK).catch((error: unknown) => {
      if (isErrno(error, 'ENOENT')) return undefined; // removed meanwhile
      throw error;
    });
    if (lock === undefined) continue; // somebody is at work there, who swept when starting
    try {
      await recoverCommit(vm).catch((error: unknown) => {
        if (!(error instanceof RepriseError)) throw error; // said again to whoever uses this VM
      });
      await sweepTemporaries([
        vm.directory,
        vm.working,
        vm.bases,
        vm.layers,
        vm.snapshots,
        vm.incomings,
        vm.scratches,
        ...(await listDirectory(vm.snapshots)).map((root) => join(vm.snapshots, root)),
        ...(await listDirectory(vm.incomings)).map((root) => join(vm.incomings, root)),
      ]);
    } finally {
      await lock.release();
    }
  }
}
