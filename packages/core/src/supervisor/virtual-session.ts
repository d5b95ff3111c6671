import type { InputInjector } from '../console/index.js';
import { RepriseError } from '../errors.js';
import {
  type DeviceInput,
  MARK_EVERY_NS,
  TICK_NS,
  type VirtualClock,
  type VirtualClockStatus,
} from '../hypervisor/index.js';
import type { InputEvent, InputLogHeader, InputLogWriter } from '../input/index.js';

import { msOfNs, toDevice, toRecorded, toSessionMark } from './device-input.js';
import { FrameInlet, type FrameInletOptions } from './frame-inlet.js';

/** A host that gives up more than this share of the time is too slow for its guest. */
const NOTABLE_LAG = 0.1;
const NOTABLE_LAG_NS = 3_000_000_000;

/** The user's session of a guest in virtual time: the way in for input, and the session's exact end. */
export class VirtualSession implements InputInjector {
  /** What its log says of it. */
  readonly header: NonNullable<InputLogHeader['virtual']>;
  readonly #clock: VirtualClock;
  #log: InputLogWriter | undefined;
  #logFailure: { readonly cause: unknown } | undefined;
  #frames: FrameInlet | undefined;
  #end: Promise<number> | undefined;

  private constructor(clock: VirtualClock, startNs: bigint) {
    this.#clock = clock;
    this.header = { startNs, markEveryMs: msOfNs(MARK_EVERY_NS) };
  }

  /** To be called before the guest is resumed. */
  static async begin(clock: VirtualClock): Promise<VirtualSession> {
    const options = { tickNs: TICK_NS, paced: true, markEveryNs: MARK_EVERY_NS };
    return new VirtualSession(clock, await clock.record(options));
  }

  translate(
    event: InputEvent,
    screen: { readonly width: number; readonly height: number },
  ): InputEvent | undefined {
    return toRecorded(event, screen);
  }

  /**
   * From now on the log gets everything that the guest gets, in the same order: keys, pointer and frames take the
   * same steps from the plugin's answer to the log. `frames` says how many bytes of these, and whom to tell.
   */
  recordInto(
    log: InputLogWriter,
    frames: Pick<FrameInletOptions, 'budgetBytes' | 'onSpent'>,
  ): void {
    this.#log = log;
    void this.#keepMarks(log);
    this.#frames = new FrameInlet({
      ...{ ...frames, log },
      inject: (bytes) => this.#inject({ kind: 'frame', bytes }),
      onFailure: (cause) => {
        this.#logFailure ??= { cause };
      },
    });
  }

  /** Until the session is over; what ends the clock's connection ends this, too, and is told by others. */
  async #keepMarks(log: InputLogWriter): Promise<void> {
    for (;;) {
      const mark = await this.#clock.nextMark().catch(() => undefined);
      if (mark === undefined) return;
      try {
        log.recordMark(toSessionMark(mark));
      } catch (cause) {
        this.#logFailure ??= { cause };
        return;
      }
    }
  }

  async inject(event: InputEvent): Promise<number> {
    const input = toDevice(event);
    if (input === undefined) throw new Error(`${event.kind} is no input of a device`);
    const atMs = await this.#inject(input);
    try {
      this.#log?.record({ atMs, event });
      // What is acknowledged is in the file: whoever kills this process takes nothing from the log.
      await this.#log?.written();
    } catch (cause) {
      // The guest has it all the same; who asks whether it was recorded, is told.
      this.#logFailure ??= { cause };
    }
    return atMs;
  }

  async #inject(input: DeviceInput): Promise<number> {
    try {
      return exactMs(await this.#clock.inject(input));
    } catch (cause) {
      // Whether the guest has it nobody knows, and a log that may lack it must not be called complete.
      if (!(cause instanceof RepriseError && cause.code === 'INPUT_NOT_TAKEN'))
        this.#logFailure ??= { cause };
      throw cause;
    }
  }

  /** A frame of the network for the guest. */
  deliver(frame: Uint8Array): void {
    this.#frames?.deliver(frame);
  }

  /** Throws what kept something from the log: it is not complete, and will not be. */
  assertRecorded(): void {
    if (this.#logFailure !== undefined) throw this.#logFailure.cause;
  }

  /**
   * Stops the guest at its next tick; settles with the session's length in ms, at which a replay has to stop,
   * too. Idempotent.
   */
  end(): Promise<number> {
    this.#end ??= this.#clock.stop().then(exactMs);
    return this.#end;
  }

  /** The guest comes to no tick any more: its session ends wherever it stands, and its log is not complete. */
  abandon(cause: unknown): void {
    this.#logFailure ??= { cause };
    this.#clock.abandon();
  }

  async status(): Promise<VirtualClockStatus> {
    return await this.#clock.status();
  }
}

/** What to tell the user about a host that cannot keep up; undefined while it can. */
export function lagWarning({ lagNs, sessionNs }: VirtualClockStatus): string | undefined {
  if (lagNs < NOTABLE_LAG_NS || lagNs < sessionNs * NOTABLE_LAG) return undefined;
  const seconds = (ns: number) => (ns / 1e9).toFixed(0);
  return `This host is too slow for the guest's time: ${seconds(lagNs)} s were lost beside ${seconds(sessionNs)} s that passed in the guest. Nothing is wrong with it but its clock.`;
}

/** A time between two ticks would be rounded in the log, and replayed at another instant. */
function exactMs(ns: number): number {
  if (ns % TICK_NS === 0) return msOfNs(ns);
  throw new RepriseError(
    'VIRTUAL_CLOCK_FAILED',
    'The virtual clock let input in between two ticks, so this session cannot be replayed. Suspend the VM and migrate it by shipping.',
    { context: { ns } },
  );
}
