import { setTimeout as delay } from 'node:timers/promises';

import { unlessAborted } from '../unless-aborted.js';

/**
 * How many device events the guest was handed and has not taken yet; undefined where that cannot be told: a guest
 * without a driver whose queue can be looked at.
 */
export type InputBacklog = () => Promise<number | undefined>;

export interface InputFlowOptions {
  readonly backlog: InputBacklog;
  /** For how long the guest's CPUs waited for one of the host so far, ms; that does not try the patience. Absent: nobody can tell. */
  readonly starvedMs?: (() => Promise<number | undefined>) | undefined;
  /**
   * Inputs that may be on their way at once, where the guest tells. A key is two device events, with its release four, a click
   * with a motion five, and a device of QEMU holds 64.
   */
  readonly window: number;
  /** How long a guest that runs may take nothing before the next input goes in all the same, if its devices hold it. Default 5 s. */
  readonly patienceMs?: number;
}

const PATIENCE_MS = 5000;
const LOOK_MS = 2;
/** What the guest waited for the host is asked only in a wait that lasts; asking costs more than a look. */
const LASTING_MS = 200;
/** Where nobody can tell what the guest has taken: what a PS/2 keyboard needs for one key. */
const BLIND_GAP_MS = 10;
const DEVICE_EVENTS = 64;
const MOST_PER_INPUT = 5;
/** Kept free, so that what is pressed can be released although the guest takes nothing. */
const RELEASES = 8;

/**
 * Keeps what is on its way to the guest within what the guest's devices hold. A device whose queue is full drops what
 * comes, without a word: a key is lost, or its release is and it repeats. All who send share one flow, and take turns.
 */
export class InputFlow {
  readonly #options: InputFlowOptions;
  readonly #patienceMs: number;
  #turn: Promise<unknown> = Promise.resolve();
  #sent = 0;
  /** Of those, the ones that were sent before the guest was seen to have taken everything. */
  #taken = 0;
  #sentAtMs = -Infinity;
  /** Whether the last look told nothing. */
  #blind = true;
  #stuck = false;

  constructor(options: InputFlowOptions) {
    this.#options = options;
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  /** One input was handed to the display; a press counts for its release too. */
  sent(): void {
    this.#sent++;
    this.#sentAtMs = performance.now();
  }

  /**
   * Runs `step`, which sends at most one input, when that may go; one at a time, in the order of the calls. A guest that takes
   * nothing holds it up once, for as long as the patience lasts: it may hang, and a keyboard of hardware would not wait
   * either. But what its devices do not hold waits, until the guest is back or the signal ends it.
   */
  async pass<T>(step: () => T, signal?: AbortSignal): Promise<T> {
    const turn = this.#turn.then(async () => {
      signal?.throwIfAborted();
      await this.#room(signal);
      return step();
    });
    this.#turn = turn.catch(() => undefined);
    // Nobody who has gone waits for the turns of others.
    return await unlessAborted(turn, signal);
  }

  async #room(signal: AbortSignal | undefined): Promise<void> {
    const most = this.#blind ? 1 : this.#options.window;
    if (this.#sent - this.#taken < most) return;
    const wait = signal === undefined ? {} : { signal };
    let sent = this.#sent;
    let left = await this.#look();
    const patience = new Patience(this.#patienceMs, this.#options.starvedMs);
    while (left !== undefined && left > 0) {
      this.#stuck ||= await patience.isOver(left);
      if (this.#stuck && left + MOST_PER_INPUT + RELEASES <= DEVICE_EVENTS) return;
      await delay(LOOK_MS, undefined, wait);
      sent = this.#sent;
      left = await this.#look();
    }
    this.#stuck = false;
    const apartMs = this.#sentAtMs + BLIND_GAP_MS - performance.now();
    if (left === undefined && apartMs > 0) await delay(apartMs, undefined, wait);
    this.#taken = sent;
  }

  async #look(): Promise<number | undefined> {
    const left = await this.#options.backlog().catch(() => undefined);
    this.#blind = left === undefined;
    return left;
  }
}

/** With a guest that takes nothing: by the time that it could have run, not by the wall's. */
class Patience {
  readonly #ms: number;
  readonly #readStarvedMs: (() => Promise<number | undefined>) | undefined;
  #least = Infinity;
  #movedAtMs = performance.now();
  #askAgainMs = 0;
  #starvedMs: number | undefined;

  constructor(ms: number, starvedMs: (() => Promise<number | undefined>) | undefined) {
    this.#ms = ms;
    this.#readStarvedMs = starvedMs;
  }

  /** @param left events that the guest has not taken by now */
  async isOver(left: number): Promise<boolean> {
    const now = performance.now();
    if (left < this.#least) {
      this.#least = left;
      this.#movedAtMs = now;
      this.#starvedMs = undefined;
      return false;
    }
    const waitedMs = now - this.#movedAtMs;
    if (this.#starvedMs === undefined) {
      if (waitedMs < Math.min(LASTING_MS, this.#ms)) return false;
      this.#starvedMs = await this.#starved();
      this.#movedAtMs = now;
      this.#askAgainMs = this.#ms;
      return false;
    }
    if (waitedMs <= this.#askAgainMs) return false;
    const couldRunMs = waitedMs - Math.max(0, (await this.#starved()) - this.#starvedMs);
    this.#askAgainMs = waitedMs + Math.max(LASTING_MS, this.#ms - couldRunMs);
    return couldRunMs > this.#ms;
  }

  async #starved(): Promise<number> {
    return (await this.#readStarvedMs?.().catch(() => undefined)) ?? this.#starvedMs ?? 0;
  }
}
