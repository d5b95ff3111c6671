import { setTimeout as delay } from 'node:timers/promises';

/**
 * How many device events the guest was handed and has not taken yet; undefined where that cannot be told: a guest
 * without a driver whose queue can be looked at.
 */
export type InputBacklog = () => Promise<number | undefined>;

export interface InputFlowOptions {
  readonly backlog: InputBacklog;
  /**
   * Inputs that may be on their way at once, where the guest tells. A key is two device events, a tap four, a click
   * with a motion five, and a device of QEMU holds 64.
   */
  readonly window: number;
  /** How long a guest may take nothing before the next input goes in all the same. Default 5 s. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 5000;
const LOOK_MS = 2;
/** Where nobody can tell what the guest has taken: what a PS/2 keyboard needs for one key. */
const BLIND_GAP_MS = 10;

/**
 * Keeps what is on its way to the guest within what the guest's devices hold. A device whose queue is full drops what
 * comes, without a word: a key is lost, or its release is and it repeats.
 */
export class InputFlow {
  readonly #options: InputFlowOptions;
  readonly #patienceMs: number;
  /** Sent since the guest was last seen to have taken everything. */
  #onTheirWay = 0;
  #sentAtMs = -Infinity;
  /** Whether the last look told anything. */
  #blind = true;
  #stuck = false;

  constructor(options: InputFlowOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  /** One input was handed to the display. */
  sent(): void {
    this.#onTheirWay++;
    this.#sentAtMs = performance.now();
  }

  /**
   * Resolves when the next input may go. A guest that takes nothing holds it up once, for as long as the patience
   * lasts: it may hang, and a keyboard of hardware would not wait either.
   */
  async room(signal?: AbortSignal): Promise<void> {
    const most = this.#blind ? 1 : this.#options.window;
    if (this.#onTheirWay < most) return;
    const wait = signal === undefined ? {} : { signal };
    let left = await this.#look();
    let least = Infinity;
    let movedAtMs = performance.now();
    while (left !== undefined && left > 0) {
      const now = performance.now();
      if (left < least) {
        least = left;
        movedAtMs = now;
      }
      this.#stuck ||= now - movedAtMs > this.#patienceMs;
      if (this.#stuck) break;
      await delay(LOOK_MS, undefined, wait);
      left = await this.#look();
    }
    if (left === 0) this.#stuck = false;
    const apartMs = this.#sentAtMs + BLIND_GAP_MS - performance.now();
    if (left === undefined && apartMs > 0) await delay(apartMs, undefined, wait);
    this.#onTheirWay = 0;
  }

  async #look(): Promise<number | undefined> {
    const left = await this.#options.backlog().catch(() => undefined);
    this.#blind = left === undefined;
    return left;
  }
}
