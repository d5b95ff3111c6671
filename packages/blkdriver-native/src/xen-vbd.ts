import { invalidArgument, settle, throwIfAborted } from './errors.js';
import { addon } from './native.js';
import type { DiskHandle, VbdHandle } from './native.js';
import { checkedFeatures, checkWhole } from './xen-disk-file.js';
import type { XenDiskFeatures } from './xen-disk-file.js';

export interface ServeXenOptions extends XenDiskFeatures {
  /** As `xl domid` prints it. The domain is paused, or has not looked for its disks yet. */
  domainId: number;
  /** The disk's name in the guest: 'xvda' to 'xvdz'. */
  device: string;
  readOnly?: boolean;
  /**
   * The directory below `backend/` in xenstore, default 'reprise': a kind of its own, whose nodes are made here
   * and which `xl` knows nothing of. 'qdisk' serves a disk that `xl` has made the nodes of: see docs/xen.md.
   */
  backendKind?: string;
  /** For what a successor needs after a kill. Default '/run/reprise'. */
  stateDirectory?: string;
  /** Aborting closes the device, orderly, also after it was offered. */
  signal?: AbortSignal;
}

/** Why a device is not served any more. */
export type XenEnd =
  /** By `close()`, or with the disk. */
  | 'closed'
  /** The domain was turned off, destroyed or saved. */
  | 'frontend-gone'
  /** The toolstack took the device away. */
  | 'removed'
  /** See `XenStatistics.error`; the guest waits for a successor. */
  | 'failed';

/** What has come over the ring since the device was offered. */
export interface XenStatistics {
  readonly state: 'waiting' | 'connected' | 'ended';
  /** The last thing that went wrong, '' where nothing did. */
  readonly error: string;
  /** Rings that were mapped: a guest may close its device and open it again. */
  readonly connections: number;
  /** Of them, those whose backend had died. */
  readonly takenOver: number;
  /** How often the device's state in xenstore was asked for: not for every request. */
  readonly looks: number;
  /** Given up because the guest broke the protocol. */
  readonly brokenRings: number;
  /** Requests that the ring holds. */
  readonly ringRequests: number;
  /** Frames of the guest that are mapped now. */
  readonly persistentFrames: number;
  readonly requests: number;
  readonly reads: number;
  readonly writes: number;
  readonly flushes: number;
  readonly barriers: number;
  readonly discards: number;
  /** Of the requests, those with indirect segments. */
  readonly indirect: number;
  /** Failed a check. */
  readonly refused: number;
  /** The disk or the guest's memory failed them. */
  readonly failed: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

/** A disk being served to a Xen guest, by a thread of its own. */
export interface XenVbd extends AsyncDisposable {
  readonly domainId: number;
  readonly device: string;
  /** Resolves when it is not served any more, whatever the reason; never rejects. */
  readonly ended: Promise<XenEnd>;
  statistics(): XenStatistics;
  /**
   * Asks the guest to let go of the disk, serves it until it has, at most 5 s, and takes it away. With
   * `leaveGuestWaiting` it stops at once instead, and the guest's requests wait for a successor. Idempotent.
   */
  close(o?: { leaveGuestWaiting?: boolean }): Promise<void>;
}

const states = ['waiting', 'connected', 'ended'] as const;
const ends = ['closed', 'closed', 'frontend-gone', 'removed', 'failed'] as const;

interface NativeReport extends Omit<XenStatistics, 'state'> {
  state: number;
  end: number;
}

class NativeXenVbd implements XenVbd {
  readonly #handle: VbdHandle;

  constructor(
    handle: VbdHandle,
    readonly domainId: number,
    readonly device: string,
    ended: Promise<void>,
  ) {
    this.#handle = handle;
    this.ended = ended.then(() => ends[this.#report().end] ?? 'failed');
  }

  readonly ended: Promise<XenEnd>;

  statistics(): XenStatistics {
    const { state, end: _end, ...counts } = this.#report();
    return { ...counts, state: states[state] ?? 'ended' };
  }

  async close(o: { leaveGuestWaiting?: boolean } = {}): Promise<void> {
    await settle(addon().vbdClose(this.#handle, o.leaveGuestWaiting ?? false));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #report(): NativeReport {
    return addon().vbdReport(this.#handle) as NativeReport;
  }
}

/** See VirtualDisk.serveXen. */
export async function serveXen(disk: DiskHandle, o: ServeXenOptions): Promise<XenVbd> {
  const { domainId, device, backendKind = 'reprise', signal } = o;
  checkWhole(domainId, 0x7fef, 'domainId');
  if (!/^[a-z][a-z0-9-]{0,30}$/.test(backendKind)) {
    throw invalidArgument('A backend kind is a short lower-case word, such as qdisk.', {
      backendKind,
    });
  }
  throwIfAborted(signal);
  const options = {
    ...checkedFeatures(o),
    domainId,
    device: deviceNumber(device),
    backendKind,
    makeNodes: backendKind !== 'qdisk',
    readOnly: o.readOnly ?? false,
    stateDirectory: o.stateDirectory ?? '/run/reprise',
  };
  let tellEnd = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    tellEnd = resolve;
  });
  const handle = await settle(
    addon().diskServeXen(disk, options, () => {
      tellEnd();
    }),
  );
  const vbd = new NativeXenVbd(handle, domainId, device, ended);
  const abort = (): void => {
    void vbd.close();
  };
  signal?.addEventListener('abort', abort, { once: true });
  void vbd.ended.then(() => signal?.removeEventListener('abort', abort));
  if (signal?.aborted === true) {
    await vbd.close();
    throwIfAborted(signal);
  }
  return vbd;
}

/** 'xvda' is 51712; from 'xvdq' on the numbers are of the extended kind (xen: docs/misc/vbd-interface). */
function deviceNumber(device: string): number {
  const letter = /^xvd([a-z])$/.exec(device)?.[1];
  if (letter === undefined) {
    throw invalidArgument('A device of a Xen guest is xvda to xvdz. Choose one that is free.', {
      device,
    });
  }
  const disk = letter.charCodeAt(0) - 'a'.charCodeAt(0);
  return disk < 16 ? (202 << 8) | (disk << 4) : (1 << 28) | (disk << 8);
}
