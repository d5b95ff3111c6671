import type { Anchor, InputEvent, InputSink, SessionEnd } from '../input/input-event.js';
import type { SessionClock } from '../input/session-clock.js';

import { BlinkDetector } from './blink-detector.js';
import { type GuestProgress, ProgressSampler } from './guest-progress.js';
import { HeldKeys, heldKey } from './held-keys.js';
import { isEnter } from './keysym.js';
import { TileMask } from './tile-mask.js';

/** The screen as the recorder needs it: what an RfbClient holds. */
export interface AnchorScreen {
  readonly width: number;
  readonly height: number;
  digest(mask: Anchor['mask']): string;
}

export interface InputRecorderOptions {
  readonly sink: InputSink;
  readonly clock: SessionClock;
  readonly guestProgress?: GuestProgress;
  /** Whether input that matters gets an anchor. Default true. */
  readonly anchors?: boolean;
  /** Input after a gap of this length gets an anchor. Default 700 ms. */
  readonly pauseMs?: number;
}

const PAUSE_MS = 700;

interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Gives every event its time, and an anchor where it matters: before Return and keypad Enter go down, before a button goes down, and
 * before the first press or motion after a pause.
 */
export class InputRecorder {
  /** To be the observer of the client whose screen the anchors show. */
  readonly blinks: BlinkDetector;
  readonly #options: InputRecorderOptions;
  readonly #progress: ProgressSampler | undefined;
  readonly #held = new HeldKeys();
  #lastInputMs: number;
  #buttons = 0;
  #pointer: Point | undefined;
  #previousPointer: Point | undefined;
  #finished = false;

  constructor(options: InputRecorderOptions) {
    this.#options = options;
    this.blinks = new BlinkDetector(() => options.clock.now());
    this.#lastInputMs = options.clock.now();
    if (options.guestProgress !== undefined)
      this.#progress = new ProgressSampler(options.guestProgress);
  }

  /** To be called just before `event` is written to the display. `screen`: what the display showed last. */
  record(event: InputEvent, screen: AnchorScreen): void {
    if (this.#finished) return;
    const { sink, clock, pauseMs = PAUSE_MS } = this.#options;
    const atMs = clock.now();
    const matters =
      this.#isDecisive(event) || (atMs - this.#lastInputMs >= pauseMs && isOnset(event));
    if (event.kind === 'pointer') {
      if (event.x !== this.#pointer?.x || event.y !== this.#pointer.y)
        this.#previousPointer = this.#pointer;
      this.#pointer = { x: event.x, y: event.y };
      this.#buttons = event.buttons;
    } else if (event.kind === 'key' || event.kind === 'extended-key') {
      this.#held.apply(event);
    }
    sink.record(matters ? { atMs, event, anchor: this.#anchor(screen) } : { atMs, event });
    this.#lastInputMs = atMs;
    this.blinks.input();
  }

  /** For input that the guest had at a time which its own clock tells, in ms of the session. */
  recordAt(event: InputEvent, atMs: number): void {
    if (!this.#finished) this.#options.sink.record({ atMs, event });
  }

  /** Takes the final anchor and closes the sink. Nothing is recorded after it. */
  async finish(screen: AnchorScreen | undefined): Promise<SessionEnd> {
    this.#finished = true;
    await this.#progress?.sample();
    this.stop();
    const atMs = this.#options.clock.now();
    const end: SessionEnd =
      screen === undefined || this.#options.anchors === false
        ? { atMs }
        : { atMs, anchor: this.#anchor(screen) };
    await this.#options.sink.finish?.(end);
    return end;
  }

  stop(): void {
    this.#progress?.stop();
  }

  #isDecisive(event: InputEvent): boolean {
    switch (event.kind) {
      case 'key':
      case 'extended-key':
        return event.down && isEnter(event.keysym) && !this.#held.has(heldKey(event));
      case 'pointer':
        return (event.buttons & ~this.#buttons) !== 0;
      case 'resize':
      case 'clipboard':
        return false;
    }
  }

  #anchor(screen: AnchorScreen): Anchor {
    const { width, height } = screen;
    const mask = new TileMask(width, height);
    if (this.#pointer !== undefined) mask.addPointer(this.#pointer);
    if (this.#previousPointer !== undefined) mask.addPointer(this.#previousPointer);
    for (const tile of this.blinks.blinking()) mask.addTile(tile);
    const rects = mask.rects();
    return {
      digest: screen.digest(rects),
      width,
      height,
      mask: rects,
      cpuMs: this.#progress?.cpuMs ?? 0,
    };
  }
}

/** A release after a pause ends something old; it does not start anything. */
function isOnset(event: InputEvent): boolean {
  return event.kind === 'key' || event.kind === 'extended-key' ? event.down : true;
}
