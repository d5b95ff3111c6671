import type { InputLogWriter } from '../input/index.js';
import { inputLimits } from '../input/index.js';

/** What a session may add to its input log in frames. Beyond it a migration is better off shipping what they changed. */
export const FRAME_BUDGET_BYTES = 12 << 20;

/** Frames that wait for a tick. A network drops what it cannot take, and so does this: a peer sends it again. */
const MOST_WAITING = 1024;
const MOST_WAITING_BYTES = 2 << 20;

export interface FrameInletOptions {
  /** Settles with the session's time in ms at which the guest got it. Whoever rejects sees to it that the log is not called complete where the guest may have it. */
  readonly inject: (frame: Uint8Array) => Promise<number>;
  readonly log: Pick<InputLogWriter, 'recordFrame' | 'recordFramesMissing'>;
  /** How many bytes of frames the log takes; 0: none. */
  readonly budgetBytes: number;
  /** Told once, when a frame is the first that the log has no room for. */
  readonly onSpent?: () => void;
  /** The log could not be written. */
  readonly onFailure: (cause: unknown) => void;
}

/** The way of the network's frames into a guest in virtual time, and into its log. */
export class FrameInlet {
  readonly #o: FrameInletOptions;
  #waiting = 0;
  #waitingBytes = 0;
  #loggedBytes = 0;
  #missing = false;

  constructor(options: FrameInletOptions) {
    this.#o = options;
  }

  /** Brings the guest a frame at its next tick, or drops it. */
  deliver(frame: Uint8Array): void {
    const size = frame.length;
    if (size === 0 || size > inputLimits.networkFrameBytes) return;
    if (this.#waiting >= MOST_WAITING || this.#waitingBytes + size > MOST_WAITING_BYTES) return;
    this.#waiting++;
    this.#waitingBytes += size;
    this.#o
      .inject(frame)
      .then(
        (atMs) => {
          this.#keep(atMs, frame);
        },
        // What the guest did not get (the session is about to stop) a replay need not have.
        () => undefined,
      )
      .catch(this.#o.onFailure)
      .finally(() => {
        this.#waiting--;
        this.#waitingBytes -= size;
      });
  }

  #keep(atMs: number, frame: Uint8Array): void {
    if (this.#missing) return;
    const { log, budgetBytes, onSpent } = this.#o;
    if (this.#loggedBytes + frame.length > budgetBytes) {
      this.#missing = true;
      log.recordFramesMissing(atMs);
      onSpent?.();
      return;
    }
    this.#loggedBytes += frame.length;
    log.recordFrame(atMs, frame);
  }
}
