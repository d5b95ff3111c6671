import { ClockDetector } from './clock-detector.js';
import type { TileHash, TileObserver } from './framebuffer.js';

/** A change this soon after input may be the input's doing. */
const INPUT_ECHO_MS = 250;
/** Returns to the value before last that make a blinking tile: shown A, B, A, B. */
const RETURNS_NEEDED = 2;
/** A tile that stopped toggling this long ago does not blink any more. */
const FORGET_MS = 3000;

interface Toggle {
  before: TileHash;
  returns: number;
  changedAtMs: number;
}

/**
 * Learns which tiles toggle between two contents with no input to explain it: text cursors, mostly. A tile that shows
 * a third content starts over, so a running program's output is never taken for blinking. Clocks are known by their ticking.
 */
export class BlinkDetector implements TileObserver {
  readonly #now: () => number;
  readonly #toggles = new Map<number, Toggle>();
  readonly #clocks = new ClockDetector();
  #lastInputMs = -Infinity;

  constructor(now: () => number) {
    this.#now = now;
  }

  input(): void {
    this.#lastInputMs = this.#now();
  }

  tileChanged(tile: number, before: TileHash, after: TileHash): void {
    const now = this.#now();
    this.#clocks.tileChanged(tile, now, this.#lastInputMs);
    const toggle = this.#toggles.get(tile);
    if (toggle === undefined) {
      this.#toggles.set(tile, { before, returns: 0, changedAtMs: now });
      return;
    }
    const returned = after.a === toggle.before.a && after.b === toggle.before.b;
    if (!returned) toggle.returns = 0;
    else if (now - this.#lastInputMs > INPUT_ECHO_MS) toggle.returns++;
    toggle.before = before;
    toggle.changedAtMs = now;
  }

  resized(): void {
    this.#toggles.clear();
    this.#clocks.resized();
  }

  /** Indices of the tiles that blink now, or show a clock. */
  blinking(): number[] {
    const now = this.#now();
    const tiles = this.#clocks.ticking(now);
    for (const [tile, toggle] of this.#toggles) {
      if (now - toggle.changedAtMs > FORGET_MS) this.#toggles.delete(tile);
      else if (toggle.returns >= RETURNS_NEEDED) tiles.push(tile);
    }
    return tiles;
  }
}
