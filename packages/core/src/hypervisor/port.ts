import type { Machine } from '../machine/index.js';

import type { VirtualClock } from './virtual-clock.js';

/**
 * What the rest of reprise asks of a hypervisor. One adapter a folder beside this file; each runs the
 * conformance suite in `hypervisor/conformance.ts`.
 */
export interface Hypervisor {
  readonly name: string;
  /**
   * Starts `machine` with its RAM in a file and its disk behind an NBD socket. The guest does not run
   * until `resume()`: it waits before its first instruction, or, given a device state, at the
   * instruction where that state was saved.
   */
  start(options: StartOptions): Promise<HypervisorVm>;
}

export interface StartOptions {
  readonly machine: Machine;
  /** Kernel and initrd of a direct boot. */
  readonly boot: BootFiles | undefined;
  /** The guest's RAM; created at the machine's size when it does not exist. */
  readonly ramFile: string;
  /** Unix socket of the NBD server that holds the disk. */
  readonly diskSocket: string;
  /** The name of the disk's NBD export. */
  readonly diskExport: string;
  /** A directory of this run's own for sockets; its path must be short (see runtime-directory.ts). */
  readonly runDirectory: string;
  /** The device state to load; without it the guest starts from power-on. */
  readonly deviceState?: string;
  /** Whether what the guest sends may leave: `closed` during replay. */
  readonly gate: 'open' | 'closed';
  readonly signal?: AbortSignal;
}

export interface BootFiles {
  readonly kernel: string;
  readonly initrd?: string;
}

/** A started VM. Disposing it ends the hypervisor process whatever its state. */
export interface HypervisorVm extends AsyncDisposable {
  /** Unix socket of the display: RFB 3.8, security type None, several viewers. */
  readonly display: string;
  readonly processId: number;
  /** Present where the machine's clock is virtual. */
  readonly virtualClock?: VirtualClock;
  /** Settles when the hypervisor's process ends, however it ends. Never rejects. */
  readonly exited: Promise<ExitReport>;
  /** Lets the guest run. */
  resume(): Promise<void>;
  /** Stops the guest between two instructions and drains its disk requests. */
  pause(): Promise<void>;
  /**
   * Writes the device state of a paused guest to `file`. The RAM file is complete when this settles.
   * The guest does not run again in this process.
   */
  saveDeviceState(file: string, signal?: AbortSignal): Promise<void>;
  /** A PNG of the display as it is now. */
  screenshot(file: string): Promise<void>;
  /**
   * Makes the free memory of a running guest read as zeros, where the machine has a balloon. Absent
   * where the hypervisor cannot. Harmless to the guest, about a second.
   */
  squeeze?(signal?: AbortSignal): Promise<SqueezeReport>;
  /**
   * Whether a failure of its disk has stopped the guest. Absent where the hypervisor does not stop it. Answers late, or
   * throws TIMEOUT, while the hypervisor itself waits for the disk.
   */
  stoppedByDisk?(): Promise<boolean>;
  /** What the guest has done so far: CPU time of its virtual CPUs. The base for deadlines. */
  progress(): Promise<GuestProgress>;
  /**
   * How many events its keyboard and pointer hold that the guest has not taken; undefined while that cannot be
   * told (no driver yet). Absent where the hypervisor cannot.
   */
  inputBacklog?(): Promise<number | undefined>;
  /** Ends the process: politely, then by force. Safe to call twice. */
  quit(): Promise<void>;
}

/** What squeezing a guest brought. */
export interface SqueezeReport {
  /** Memory that was handed back, and reads as zeros unless the guest has used it since. */
  readonly freedBytes: number;
  /** Why it was less than the guest has free, for a person. */
  readonly because?: string;
}

export interface GuestProgress {
  readonly cpuMs: number;
  /** Time that its virtual CPUs wanted to run and waited for a CPU of the host; absent where the host does not tell. */
  readonly starvedMs?: number;
  /** Requests that its disk has answered; absent where the hypervisor does not tell. */
  readonly diskRequests?: number;
}

export interface ExitReport {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The last lines that the process wrote to its standard error. */
  readonly lastWords: string;
}
