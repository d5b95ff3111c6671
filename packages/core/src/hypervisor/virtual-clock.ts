import type { SessionMark } from '../input/input-event.js';

/**
 * A guest whose time counts instructions, as the rest of reprise sees it: what reaches it from outside
 * goes in at an instant of that time, and the instant comes back. Absent where time is the host's.
 */

/** Input goes in at multiples of this; times in the log of such a session are whole numbers of it. */
export const TICK_NS = 10_000_000;

/** Between two marks of a session: how late a replay that goes another way is noticed at most. */
export const MARK_EVERY_NS = 10_000_000_000;

/** What a device of the guest gets. Keys are QEMU's numbers, positions the tablet's. */
export type DeviceInput =
  | { readonly kind: 'key'; readonly number: number; readonly down: boolean }
  | { readonly kind: 'pointer'; readonly x: number; readonly y: number; readonly buttons: number }
  /** An Ethernet frame for the network card. */
  | { readonly kind: 'frame'; readonly bytes: Uint8Array };

/** Positions of the tablet are 0 to this, in both directions. */
export const MOST_AXIS = 0x7fff;

export interface TimedDeviceInput {
  /** Virtual nanoseconds since the session began. */
  readonly atNs: number;
  readonly input: DeviceInput;
}

export interface VirtualClockStatus {
  readonly mode: 'idle' | 'recording' | 'replaying' | 'stopped';
  /** The guest's virtual clock. */
  readonly nowNs: bigint;
  /** Since the session began. */
  readonly sessionNs: number;
  readonly instructions: bigint;
  /** Real time that the host could not keep up with, and that the guest does not get back. */
  readonly lagNs: number;
  readonly injected: number;
  readonly waiting: number;
  /** The largest distance of an injection from its time. Other than 0: the replay cannot be exact. */
  readonly latestNs: number;
  readonly diskRequests: number;
  /** Host time that the guest stood still for its disk. */
  readonly diskNs: number;
}

/** What a guest had come to at an instant of a session: equal in a replay that is exact. */
export interface VirtualMark extends Omit<SessionMark, 'atMs'> {
  readonly atNs: number;
}

/** One session or one replay of a started guest. Errors are VIRTUAL_CLOCK_FAILED and HYPERVISOR_GONE. */
export interface VirtualClock {
  status(): Promise<VirtualClockStatus>;
  /**
   * Begins a session in a guest that does not run yet. `paced`: virtual time is held back to real time.
   * `markEveryNs`: between two marks, default none. Settles with the virtual clock's value, the session's zero.
   */
  record(options: {
    readonly tickNs: number;
    readonly paced: boolean;
    readonly markEveryNs?: number;
  }): Promise<bigint>;
  /** Settles with the next mark of a session or replay as soon as it is taken; undefined: none comes any more. */
  nextMark(): Promise<VirtualMark | undefined>;
  /**
   * Settles once the guest has it, with the session's time at which that was: a whole number of ticks. INPUT_NOT_TAKEN:
   * the guest does not get it. After any other failure nobody knows.
   */
  inject(input: DeviceInput): Promise<number>;
  /** Stops the guest at the next tick; settles, when it stands, with the session's time. */
  stop(): Promise<number>;
  /** Hands over the log of a session, in order, before replay(). */
  load(events: Iterable<TimedDeviceInput>): Promise<void>;
  /**
   * Gets what was loaded ready to be replayed, as fast as the host can, in a guest that does not run yet. Settles
   * with the virtual clock's value, the session's zero; only then may the guest be resumed.
   */
  replay(stopAtNs: number, options?: { readonly markEveryNs?: number }): Promise<bigint>;
  /** Stops a replay before its end; `replayed()` settles when the guest stands. */
  halt(): Promise<void>;
  /** Settles, when the guest stands, with the session's time: `stopAtNs` in an exact replay. */
  replayed(signal?: AbortSignal): Promise<number>;
  /** Asks nothing more, and stops waiting: what has no answer yet is rejected. */
  abandon(): void;
}
