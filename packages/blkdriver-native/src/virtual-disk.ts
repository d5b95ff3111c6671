import { checkLength, checkOffset } from './arguments.js';
import { walk } from './dirty-log.js';
import type { DirtyBatch, DirtyLogOptions } from './dirty-log.js';
import type { DiskChain } from './disk-chain.js';
import { fromNative, invalidArgument, settle, throwIfAborted } from './errors.js';
import { addon } from './native.js';
import type { DiskHandle } from './native.js';
import { NativeNbdServer } from './nbd-server.js';
import type { NbdServer } from './nbd-server.js';
import { serveXen } from './xen-vbd.js';
import type { ServeXenOptions, XenVbd } from './xen-vbd.js';

/** Makes a disk misbehave, to try out what stands on it. Rates are from 0 to 1. */
export interface DiskFaults {
  readFaultRate?: number;
  /** Also of trims and zeroes. */
  writeFaultRate?: number;
  flushFaultRate?: number;
  /** The same seed gives the same faults to a client that sends one request at a time. */
  faultSeed?: number;
  readDelayUs?: number;
  writeDelayUs?: number;
  flushDelayUs?: number;
}

export interface OpenDiskOptions {
  signal?: AbortSignal;
  faults?: DiskFaults;
  /** For tests: recover as after a power loss, though the machine stayed up. */
  assumePowerLoss?: boolean;
  /** The log compacts itself when it has grown by this much. Default 32 MiB. */
  logCompactBytes?: number;
  /** Files of the log have at least this size. Default 1 MiB, at least 4 KiB. */
  logSegmentBytes?: number;
  /** For measurements only: such an overlay must not be used again. */
  withoutTracking?: boolean;
}

export interface ServeOptions {
  socketPath: string;
  /** Default 'disk'. The empty name always means it too. */
  exportName?: string;
  /** Permissions of the socket. Default 0o600. */
  mode?: number;
  /** Clients beyond it are hung up on. Default 16. */
  maxConnections?: number;
  /** For measurements: no read is served on its connection's own thread. */
  poolReadsOnly?: boolean;
  /** Closes the server when it is aborted. */
  signal?: AbortSignal;
}

/** Counters since the disk was opened, and the log's present state. */
export interface DriverStatistics {
  readonly reads: number;
  readonly readBytes: number;
  readonly writes: number;
  readonly writtenBytes: number;
  readonly flushes: number;
  readonly trims: number;
  readonly zeroes: number;
  /** Requests that failed. */
  readonly errors: number;
  /** Clients connected now. */
  readonly connections: number;
  readonly connectionsAccepted: number;
  /** Over the limit. */
  readonly connectionsRefused: number;
  readonly epoch: number;
  readonly logRecords: number;
  readonly logBytes: number;
  readonly logCompactions: number;
  readonly nextSequence: bigint;
  /** Everything below it is on the disk, whatever happens to the machine. */
  readonly durableSequence: bigint;
}

/**
 * A virtual disk: read-only base, sealed layers, a writable overlay and its dirty
 * log. A block is in the log before its data changes, and a write that was
 * acknowledged survives the driver; one that was flushed survives the machine.
 *
 * Nothing here blocks the event loop. `close()` when done; an overlay that was
 * not closed is recovered at its next opening.
 */
export class VirtualDisk implements AsyncDisposable {
  readonly #handle: DiskHandle;
  /** Aborted when this is closed: takes listeners off signals that live longer. */
  readonly #closed = new AbortController();

  private constructor(
    handle: DiskHandle,
    readonly sizeBytes: bigint,
  ) {
    this.#handle = handle;
  }

  /**
   * Takes an exclusive lock on the overlay, and shared ones on the layers.
   *
   * @throws BlkError `OVERLAY_BUSY`, `OVERLAY_NOT_FOUND`, `OVERLAY_SEALED`, `OVERLAY_CORRUPT`,
   * `OVERLAY_NOT_CLOSED`, `LOG_CORRUPT`, `BASE_UNREADABLE`, `CHAIN_SIZE_MISMATCH`,
   * `CHAIN_TOO_LONG`, `NO_SPACE`, `ABORTED`
   */
  static async open(chain: DiskChain, o: OpenDiskOptions = {}): Promise<VirtualDisk> {
    const { signal, faults, ...rest } = o;
    throwIfAborted(signal);
    const options = { ...faults, ...rest };
    const handle = await settle(addon().openDisk(chain.base, chain.layers, chain.overlay, options));
    const disk = new VirtualDisk(handle, addon().diskSize(handle));
    if (signal?.aborted === true) {
      await disk.close();
      throwIfAborted(signal);
    }
    return disk;
  }

  /**
   * Serves the disk over NBD; listens when the promise resolves. A socket that a
   * killed server left behind is replaced.
   *
   * @throws BlkError `SOCKET_BUSY`, `SOCKET_FAILED`, `DISK_CLOSED`, `INVALID_ARGUMENT`, `ABORTED`
   */
  async serve(o: ServeOptions): Promise<NbdServer> {
    const { signal, exportName = 'disk', mode = 0o600, maxConnections = 16, ...rest } = o;
    throwIfAborted(signal);
    if (Buffer.byteLength(exportName) > 4096) {
      throw invalidArgument('An export name has at most 4096 bytes. Choose a shorter one.');
    }
    if (!Number.isInteger(maxConnections) || maxConnections < 1 || maxConnections > 1024) {
      throw invalidArgument('Between 1 and 1024 connections can be served.', { maxConnections });
    }
    const options = { ...rest, exportName, mode, maxConnections };
    const handle = await settle(addon().diskServe(this.#handle, options));
    const server = new NativeNbdServer(handle, o.socketPath);
    if (signal?.aborted === true) {
      await server.close();
      throwIfAborted(signal);
    }
    if (signal !== undefined) server.closeOn(signal, this.#closed.signal);
    return server;
  }

  /**
   * Serves the disk to a guest of the Xen host that this runs on, as a block backend; the guest is offered it when
   * the promise resolves. A guest whose backend has died goes on where it was. See docs/xen.md.
   *
   * @throws BlkError `XEN_UNAVAILABLE`, `XEN_NO_DOMAIN`, `XEN_FAILED`, `INVALID_ARGUMENT`, `DISK_CLOSED`, `ABORTED`
   */
  async serveXen(o: ServeXenOptions): Promise<XenVbd> {
    return serveXen(this.#handle, o);
  }

  /** As the guest sees it. @throws BlkError `OUT_OF_RANGE`, `DISK_CLOSED`, `IO_FAILED` */
  async read(offsetBytes: bigint, lengthBytes: number): Promise<Buffer> {
    checkOffset(offsetBytes);
    checkLength(lengthBytes);
    return settle(addon().diskRead(this.#handle, offsetBytes, lengthBytes));
  }

  /** As the guest would see it without the overlay: base and sealed layers. */
  async readBase(offsetBytes: bigint, lengthBytes: number): Promise<Buffer> {
    checkOffset(offsetBytes);
    checkLength(lengthBytes);
    return settle(addon().diskReadBase(this.#handle, offsetBytes, lengthBytes));
  }

  /** Null unless the overlay holds every block of the range. */
  async readOverlay(offsetBytes: bigint, lengthBytes: number): Promise<Buffer | null> {
    checkOffset(offsetBytes);
    checkLength(lengthBytes);
    return settle(addon().diskReadOverlay(this.#handle, offsetBytes, lengthBytes));
  }

  /**
   * Tracked like a guest's write. `data` must not change until it resolves.
   *
   * @throws BlkError `OUT_OF_RANGE`, `NO_SPACE`, `DISK_CLOSED`, `IO_FAILED`
   */
  async write(offsetBytes: bigint, data: Uint8Array): Promise<void> {
    checkOffset(offsetBytes);
    await settle(addon().diskWrite(this.#handle, offsetBytes, data));
  }

  /** Makes data and log durable, for every write that had resolved. */
  async flush(): Promise<void> {
    await settle(addon().diskFlush(this.#handle));
  }

  /**
   * Ends the epoch. `epoch` is the number of the one that begins; its records
   * have sequences above `sequence`.
   */
  async cutEpoch(): Promise<{ epoch: number; sequence: bigint }> {
    return settle(addon().diskCutEpoch(this.#handle));
  }

  /** The log as it is when the iteration begins; writes may go on. */
  dirtyLog(o: DirtyLogOptions = {}): AsyncIterable<DirtyBatch> {
    return walk((options) => addon().openDiskLog(this.#handle, options), o);
  }

  /** @throws BlkError `DISK_CLOSED` */
  statistics(): DriverStatistics {
    try {
      return addon().diskStatistics(this.#handle) as DriverStatistics;
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** Closes the servers, flushes, gives the overlay free. Idempotent. */
  async close(): Promise<void> {
    this.#closed.abort();
    await settle(addon().diskClose(this.#handle));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
