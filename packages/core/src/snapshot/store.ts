import type { BlockRuns } from '@reprise/blkdriver-native';
import type { PageRuns } from '@reprise/differ';

import type { Ancestor, Lease } from '../lease/index.js';
import type { Machine } from '../machine/index.js';
import type { Manifest, PeerRecord, SessionSummary, VmRecord } from './records.js';

/**
 * What a host keeps of VMs: the port. The embedded default (openStore) is a directory; docs/formats/store.md says what is
 * in it. Paths in results are absolute. Snapshots are immutable: whoever holds a path may read, never write.
 */
export interface SnapshotStore extends AsyncDisposable {
  readonly home: string;
  /** This host, for peers and leases. */
  readonly hostId: string;
  readonly lease: Lease;

  // ---- boot files
  /** Copies a kernel or initrd in; the same content is kept once. */
  putBootFile(path: string, options?: { signal?: AbortSignal }): Promise<BootFile>;
  /** Throws BOOT_FILE_MISSING. */
  bootFile(sha256: string): Promise<BootFile>;

  // ---- VMs
  /**
   * Imports a machine and its raw disk image: this host may run it. Throws VM_EXISTS, BOOT_FILE_MISSING, INSUFFICIENT_SPACE,
   * INVALID_ARGUMENT.
   */
  createVm(options: CreateVmOptions): Promise<VmRecord>;
  /** Registers a VM that a seed brings: a copy, with the identity and the secret it has elsewhere. Idempotent for the same id. */
  adoptVm(options: AdoptVmOptions): Promise<VmRecord>;
  /** Throws VM_UNKNOWN. */
  vm(name: string): Promise<VmRecord>;
  vmById(id: string): Promise<VmRecord | undefined>;
  listVms(): Promise<VmRecord[]>;
  /** The record with what it occupies: for `vm show`. */
  describeVm(name: string): Promise<VmDescription>;
  machine(name: string): Promise<Machine>;
  /** The VM's secret of 32 B, for a seed. */
  secret(name: string): Promise<Uint8Array>;
  /** A key of 32 B for one purpose, the same on every host that holds the VM. */
  deriveKey(name: string, purpose: KeyPurpose): Promise<Uint8Array>;
  /** Throws VM_RUNNING, HANDOFF_OPEN, HANDOFF_IN_DOUBT. */
  removeVm(name: string): Promise<void>;
  /** Makes a directory, for what the pipeline keeps beside the store's own: `migrations/<id>/`. */
  migrationDirectory(name: string, migration: string): Promise<string>;
  /** Those that were made, in no order. */
  listMigrationDirectories(name: string): Promise<string[]>;

  // ---- snapshots
  /** The snapshot that the next session starts from; undefined before the first suspend. */
  head(name: string): Promise<Snapshot | undefined>;
  /** Throws SNAPSHOT_UNKNOWN. */
  snapshot(name: string, root: string): Promise<Snapshot>;
  /** Complete snapshots, newest first. */
  listSnapshots(name: string): Promise<Snapshot[]>;
  /** Re-reads every byte and compares it with every digest. */
  verifySnapshot(name: string, root: string, options?: LongOptions): Promise<Verification>;

  // ---- working copies
  /**
   * What a VM runs on: a private copy of a snapshot's RAM, and an empty overlay over its disk. `scratch` stands beside the main
   * one, for a replay. Throws WORKING_COPY_EXISTS, INSUFFICIENT_SPACE, SNAPSHOT_UNKNOWN.
   */
  createWorkingCopy(name: string, options?: WorkingCopyOptions): Promise<WorkingCopy>;
  /** The main one, or a scratch one by its id. */
  workingCopy(name: string, scratch?: string): Promise<WorkingCopy | undefined>;
  /** Its session is lost. Idempotent. */
  discardWorkingCopy(name: string, scratch?: string): Promise<void>;
  /**
   * Makes the head out of a suspended working copy: `ram`, `device` and a closed `overlay` must stand in it. Files move; nothing is
   * copied. After a crash the head is the old one, and calling again goes on, or the new one.
   */
  commitWorkingCopy(name: string, options?: CommitOptions): Promise<Snapshot>;

  // ---- what arrives
  /** The staging directory of a snapshot that is on its way here; created if need be, kept over interruptions. */
  openIncoming(name: string, root: string): Promise<Incoming>;
  listIncoming(name: string): Promise<Incoming[]>;
  discardIncoming(name: string, root: string): Promise<void>;
  /** Digests of what has been staged, to be compared with the source's: the proof. */
  digestIncoming(name: string, root: string, options: DigestOptions): Promise<StateDigests>;
  /**
   * Turns what has been staged and digested into a snapshot. It does not become the head: ownership does that (see
   * settleHead). Throws ROOT_MISMATCH unless the digests give `root`.
   */
  commitIncoming(name: string, root: string, options: CommitIncomingOptions): Promise<Snapshot>;
  /**
   * Makes what was handed over the head, where a crash came between the lease's OWNED and this. For a copy without
   * a head (a seed) pass the root. Called by head() and createWorkingCopy(); idempotent.
   */
  settleHead(name: string, seeded?: string): Promise<void>;

  // ---- upkeep
  /** Remembers which snapshot another host holds, so that it is kept as a base. */
  recordPeer(name: string, hostId: string, root: string, label?: string): Promise<void>;
  peers(name: string): Promise<readonly PeerRecord[]>;
  /** Merges the layers of a long chain into one. No root changes. Undefined: the chain is short. */
  consolidate(
    name: string,
    options?: LongOptions & { longerThan?: number },
  ): Promise<Consolidation | undefined>;
  /** Deletes what nothing refers to; nothing at all while a snapshot is arriving. */
  collectGarbage(name: string): Promise<Collection>;
  close(): Promise<void>;
}

export type KeyPurpose = 'fingerprint' | 'input-log' | 'replayed-blocks';

export interface LongOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Progress {
  /** What is going on: `copy`, `digest ram`, … for a person. */
  readonly step: string;
  /** In units of the step: bytes, or leaves. */
  readonly done: number;
  readonly total: number;
}

export interface BootFile {
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly path: string;
}

export interface CreateVmOptions extends LongOptions {
  readonly name: string;
  /** Its boot files must be in the store already. */
  readonly machine: Machine;
  /** A raw image of exactly machine.diskBytes, or shorter (it is extended with zeros). It is copied. */
  readonly disk: string;
}

export interface AdoptVmOptions {
  readonly name: string;
  readonly id: string;
  readonly secret: Uint8Array;
  readonly machine: Machine;
  readonly createdAt: string;
  readonly lineage: string;
  readonly ancestors: readonly Ancestor[];
  readonly token: number;
}

export interface VmDescription {
  readonly vm: VmRecord;
  readonly machine: Machine;
  readonly snapshots: readonly Snapshot[];
  readonly peers: readonly PeerRecord[];
  /** Bytes on disk (allocated, not apparent). */
  readonly occupied: {
    readonly bases: number;
    readonly layers: number;
    readonly snapshots: number;
    readonly working: number;
    readonly incoming: number;
    readonly total: number;
  };
}

export interface DiskChainPaths {
  readonly base: string;
  /** Sealed overlays, oldest first. */
  readonly layers: readonly string[];
}

export interface Snapshot {
  readonly vm: string;
  readonly root: string;
  readonly manifest: Manifest;
  readonly chain: DiskChainPaths;
  readonly paths: {
    readonly directory: string;
    readonly ram: string;
    readonly device: string;
    readonly ramLeaves: string;
    readonly diskLeaves: string;
    /** The content index; a cache, so it may be absent: build it here. */
    readonly index: string;
    /** The sealed input log of the session that led here; may be absent. */
    readonly inputLog: string;
  };
}

export interface WorkingCopyOptions extends LongOptions {
  /** A root, `head` (default), or `cold`: the disk of the head if there is one, no RAM, no device state. */
  readonly from?: string | undefined;
  /** An id of the caller's choice, [a-z0-9-]; absent: the main working copy. */
  readonly scratch?: string | undefined;
}

export interface WorkingCopy {
  readonly vm: string;
  readonly scratch: string | undefined;
  /** The snapshot it continues; null: a cold boot. */
  readonly base: string | null;
  /** The snapshot whose disk it stands on, and the parent of what it becomes; null: the imported base. */
  readonly parent: string | null;
  readonly startedAt: string;
  /** What the driver opens. */
  readonly disk: DiskChainPaths & { readonly overlay: string };
  readonly paths: {
    readonly directory: string;
    /** Exists, of the machine's size: the snapshot's content, or all zeros for a cold boot. */
    readonly ram: string;
    /** Where the device state is to be written at suspend. */
    readonly device: string;
    /** The device state to resume from; undefined: a cold boot. */
    readonly resumeFrom: string | undefined;
    readonly inputLog: string;
  };
}

export interface CommitOptions extends LongOptions {
  /** Pages of RAM that differ from the base, where the caller knows them; compared otherwise. */
  readonly changedRam?: PageRuns | undefined;
  readonly session?: SessionSummary | undefined;
}

export interface Incoming {
  readonly root: string;
  readonly directory: string;
  readonly ram: string;
  readonly device: string;
  /** A migration puts a sealed overlay here … */
  readonly overlay: string;
  /** … a seed a whole raw disk here. One of the two, or neither when no block changed. */
  readonly disk: string;
  readonly ramLeaves: string;
  readonly diskLeaves: string;
  readonly inputLog: string;
}

export interface DigestOptions extends LongOptions {
  /** The snapshot that `overlay` lies on and `ram` was patched from; null: a seed. */
  readonly parent: string | null;
  /** What changed against the parent. Of the disk only that is hashed again; of RAM, which is a copy, everything. */
  readonly changed?: { readonly ram?: PageRuns; readonly disk?: BlockRuns } | undefined;
}

/** What a root digest is made of. */
export interface StateDigests {
  readonly root: string;
  readonly machine: string;
  readonly ram: { readonly sizeBytes: number; readonly root: string };
  readonly disk: { readonly sizeBytes: number; readonly root: string };
  readonly device: { readonly sizeBytes: number; readonly sha256: string };
}

export interface CommitIncomingOptions extends LongOptions {
  readonly parent: string | null;
  readonly digests: StateDigests;
  readonly createdAt: string;
  readonly session?: SessionSummary | undefined;
}

export interface Verification {
  readonly ok: boolean;
  readonly bytesRead: number;
  /** Empty when ok. */
  readonly broken: readonly BrokenPart[];
}

export interface BrokenPart {
  readonly part: 'ram' | 'disk' | 'device' | 'machine' | 'ram.leaves' | 'disk.leaves' | 'root';
  /** A sentence that names the file. */
  readonly what: string;
  /** The first damaged leaves (64 KiB each), at most 16, for RAM and disk. */
  readonly leaves?: readonly number[];
}

export interface Consolidation {
  readonly merged: number;
  readonly layer: string;
}

export interface Collection {
  readonly snapshots: readonly string[];
  readonly layers: readonly string[];
  readonly bases: readonly string[];
  readonly freedBytes: number;
}
