import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

import { readRecord, syncDirectory, temporaryPath } from '../lease/durable-file.js';
import type { Lease } from '../lease/index.js';
import { machineDigest, type Machine } from '../machine/index.js';
import { consolidate } from './consolidate.js';
import type { StoreContext } from './context.js';
import { collectGarbage } from './garbage.js';
import { settleHead } from './heads.js';
import { adoptVm, createVm, findBootFile, putBootFile } from './import-vm.js';
import {
  commitIncoming,
  digestIncoming,
  discardIncoming,
  listIncoming,
  openIncoming,
} from './incoming.js';
import type { VmLayout } from './layout.js';
import { readPeers, recordPeer } from './peers.js';
import { vmName, vmRecordSchema, type PeerRecord, type VmRecord } from './records.js';
import { deriveKey, readSecret } from './secret.js';
import { occupiedBytes } from './space.js';
import type * as api from './store.js';
import { listDirectory } from './sweep.js';
import { verifySnapshot } from './verify.js';
import { withVm } from './vm-lock.js';
import {
  commitWorkingCopy,
  createWorkingCopy,
  discardWorkingCopy,
  findWorkingCopy,
} from './working-copies.js';
import { findSnapshot, readMachine, readVm, requireSnapshot } from './vm-files.js';

/** The store as a directory. Each method takes the VM's lock where it changes something, and delegates. */
export class EmbeddedStore implements api.SnapshotStore {
  readonly #context: StoreContext;

  constructor(context: StoreContext) {
    this.#context = context;
  }

  get home(): string {
    return this.#context.layout.home;
  }
  get hostId(): string {
    return this.#context.hostId;
  }
  get lease(): Lease {
    return this.#context.lease;
  }

  // ---- boot files

  putBootFile(path: string, options: { signal?: AbortSignal } = {}): Promise<api.BootFile> {
    return putBootFile(this.#context.layout, path, options.signal);
  }
  bootFile(sha256: string): Promise<api.BootFile> {
    return findBootFile(this.#context.layout, sha256);
  }

  // ---- VMs

  createVm(options: api.CreateVmOptions): Promise<VmRecord> {
    return createVm(this.#context, options);
  }
  adoptVm(options: api.AdoptVmOptions): Promise<VmRecord> {
    return adoptVm(this.#context, options);
  }
  async vm(name: string): Promise<VmRecord> {
    return readVm(this.#vm(name));
  }
  async vmById(id: string): Promise<VmRecord | undefined> {
    return (await this.listVms()).find((vm) => vm.id === id);
  }
  async listVms(): Promise<VmRecord[]> {
    const records: VmRecord[] = [];
    for (const name of (await listDirectory(this.#context.layout.vms)).sort()) {
      if (!vmName.safeParse(name).success || name.includes('.tmp-')) continue;
      const record = await readRecord(this.#vm(name).record, vmRecordSchema);
      if (record !== undefined) records.push(record);
    }
    return records;
  }
  async describeVm(name: string): Promise<api.VmDescription> {
    const vm = this.#vm(name);
    const record = await readVm(vm);
    const occupied = {
      bases: await occupiedBytes(vm.bases),
      layers: await occupiedBytes(vm.layers),
      snapshots: await occupiedBytes(vm.snapshots),
      working: (await occupiedBytes(vm.working)) + (await occupiedBytes(vm.scratches)),
      incoming: await occupiedBytes(vm.incomings),
      total: await occupiedBytes(vm.directory),
    };
    return {
      vm: record,
      machine: await readMachine(vm),
      snapshots: await this.listSnapshots(name),
      peers: await readPeers(vm),
      occupied,
    };
  }
  async machine(name: string): Promise<Machine> {
    return readMachine(this.#vm(name));
  }
  async secret(name: string): Promise<Uint8Array> {
    return readSecret((await this.#known(name)).secret);
  }
  async deriveKey(name: string, purpose: api.KeyPurpose): Promise<Uint8Array> {
    return deriveKey(await this.secret(name), purpose);
  }
  removeVm(name: string): Promise<void> {
    return withVm(this.#context, name, undefined, async (vm) => {
      const { layout, lease } = this.#context;
      const doomed = temporaryPath(join(layout.trash, name));
      await lease.retire(name, async () => {
        await rename(vm.directory, doomed);
        await syncDirectory(layout.vms);
      });
      await rm(doomed, { recursive: true, force: true });
    });
  }
  async migrationDirectory(name: string, migration: string): Promise<string> {
    const directory = (await this.#known(name)).migration(migration);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    return directory;
  }
  async listMigrationDirectories(name: string): Promise<string[]> {
    const { migrations } = await this.#known(name);
    return (await listDirectory(migrations)).map((id) => join(migrations, id));
  }

  // ---- snapshots

  async head(name: string): Promise<api.Snapshot | undefined> {
    await this.settleHead(name);
    const vm = this.#vm(name);
    const { head } = await readVm(vm);
    return head === null ? undefined : requireSnapshot(vm, head.root);
  }
  async snapshot(name: string, root: string): Promise<api.Snapshot> {
    return requireSnapshot(await this.#known(name), root);
  }
  async listSnapshots(name: string): Promise<api.Snapshot[]> {
    const vm = await this.#known(name);
    const found: api.Snapshot[] = [];
    for (const root of await listDirectory(vm.snapshots)) {
      const snapshot = root.includes('.tmp-') ? undefined : await findSnapshot(vm, root);
      if (snapshot !== undefined) found.push(snapshot);
    }
    return found.sort((a, b) => b.manifest.createdAt.localeCompare(a.manifest.createdAt));
  }
  async verifySnapshot(name: string, root: string, options: api.LongOptions = {}) {
    return verifySnapshot(this.#context, await this.#known(name), root, options);
  }
  settleHead(name: string, seeded?: string): Promise<void> {
    return withVm(this.#context, name, undefined, (vm) => settleHead(this.#context, vm, seeded));
  }

  // ---- working copies

  createWorkingCopy(name: string, options: api.WorkingCopyOptions = {}): Promise<api.WorkingCopy> {
    return withVm(this.#context, name, options.signal, async (vm) => {
      await settleHead(this.#context, vm);
      return createWorkingCopy(this.#context, vm, options);
    });
  }
  async workingCopy(name: string, scratch?: string): Promise<api.WorkingCopy | undefined> {
    return findWorkingCopy(await this.#known(name), scratch);
  }
  discardWorkingCopy(name: string, scratch?: string): Promise<void> {
    return withVm(this.#context, name, undefined, (vm) => discardWorkingCopy(vm, scratch));
  }
  commitWorkingCopy(name: string, options: api.CommitOptions = {}): Promise<api.Snapshot> {
    return withVm(this.#context, name, options.signal, async (vm) => {
      const root = await commitWorkingCopy(this.#context, vm, options);
      return requireSnapshot(vm, root);
    });
  }

  // ---- what arrives

  openIncoming(name: string, root: string): Promise<api.Incoming> {
    return withVm(this.#context, name, undefined, (vm) => openIncoming(vm, root));
  }
  async listIncoming(name: string): Promise<api.Incoming[]> {
    return listIncoming(await this.#known(name));
  }
  discardIncoming(name: string, root: string): Promise<void> {
    return withVm(this.#context, name, undefined, (vm) => discardIncoming(vm, root));
  }
  /** Without the VM's lock: it writes only to the staging directory, which is the caller's. */
  async digestIncoming(
    name: string,
    root: string,
    options: api.DigestOptions,
  ): Promise<api.StateDigests> {
    const vm = await this.#known(name);
    return (await digestIncoming(this.#context, vm, root, options)).digests;
  }
  commitIncoming(
    name: string,
    root: string,
    options: api.CommitIncomingOptions,
  ): Promise<api.Snapshot> {
    return withVm(this.#context, name, options.signal, async (vm) => {
      const machine = machineDigest(await readMachine(vm));
      await commitIncoming(vm, root, { ...options, digests: { ...options.digests, machine } });
      return requireSnapshot(vm, root);
    });
  }

  // ---- upkeep

  recordPeer(name: string, hostId: string, root: string, label?: string): Promise<void> {
    return withVm(this.#context, name, undefined, (vm) => recordPeer(vm, hostId, root, label));
  }
  async peers(name: string): Promise<readonly PeerRecord[]> {
    return readPeers(await this.#known(name));
  }
  consolidate(name: string, options: api.LongOptions & { longerThan?: number } = {}) {
    return withVm(this.#context, name, options.signal, (vm) =>
      consolidate(this.#context, vm, options),
    );
  }
  collectGarbage(name: string): Promise<api.Collection> {
    return withVm(this.#context, name, undefined, (vm) => collectGarbage(this.#context, vm));
  }

  close(): Promise<void> {
    return this.#context.tree.close();
  }
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #vm(name: string): VmLayout {
    return this.#context.layout.vm(name);
  }
  /** Throws VM_UNKNOWN. */
  async #known(name: string): Promise<VmLayout> {
    const vm = this.#vm(name);
    await readVm(vm);
    return vm;
  }
}
