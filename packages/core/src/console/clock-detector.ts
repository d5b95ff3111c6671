/** A change this soon after input may be the input's doing. */
const INPUT_ECHO_MS = 250;
/** Tiles that change within this change together. */
const TOGETHER_MS = 250;
/** More tiles that change together are no clock on a screen at rest: its hands or digits, and a cursor. */
const MOST_TOGETHER = 8;
/** A second, told a little early: the display is looked at 30 times in one. */
const LEAST_INTERVAL_MS = 900;
const TICKS_NEEDED = 3;
/** The clock of a desktop's panel is known after its second tick. */
const TICKS_A_MINUTE_APART = 2;
const MINUTE_MS = 60_000;
const MINUTE_SLACK_MS = 1500;
/** What has not ticked for so many of its intervals has stopped. */
const STOPPED_INTERVALS = 2.5;

interface Ticks {
  count: number;
  lastMs: number;
  intervalMs: number;
}

/**
 * Learns which tiles show a clock: they change by themselves, a second or more apart, while the rest of the screen is
 * still. A program's output changes other tiles every time, or the same ones faster, or scrolls.
 */
export class ClockDetector {
  readonly #tiles = new Map<number, Ticks>();
  /** What changes just now. */
  #together = new Set<number>();
  #sinceMs = -Infinity;
  #afterInput = false;

  tileChanged(tile: number, nowMs: number, lastInputMs: number): void {
    if (nowMs - this.#sinceMs > TOGETHER_MS) {
      this.#settle();
      this.#sinceMs = nowMs;
      this.#afterInput = nowMs - lastInputMs <= INPUT_ECHO_MS;
    }
    this.#together.add(tile);
  }

  resized(): void {
    this.#tiles.clear();
    this.#together.clear();
  }

  /** The tiles of clocks that go. */
  ticking(nowMs: number): number[] {
    if (nowMs - this.#sinceMs > TOGETHER_MS) this.#settle();
    const tiles: number[] = [];
    for (const [tile, { count, lastMs, intervalMs }] of this.#tiles) {
      const needed =
        Math.abs(intervalMs - MINUTE_MS) <= MINUTE_SLACK_MS ? TICKS_A_MINUTE_APART : TICKS_NEEDED;
      const going = nowMs - lastMs <= STOPPED_INTERVALS * intervalMs;
      if (count >= needed && going) tiles.push(tile);
    }
    return tiles;
  }

  /** What changed together is known; in what input may have done, no clock is looked for. */
  #settle(): void {
    const atMs = this.#sinceMs;
    const isStill = this.#together.size <= MOST_TOGETHER && !this.#afterInput;
    for (const tile of this.#together) {
      const ticks = this.#tiles.get(tile);
      const intervalMs = ticks === undefined ? 0 : atMs - ticks.lastMs;
      if (ticks === undefined) {
        if (isStill) this.#tiles.set(tile, { count: 1, lastMs: atMs, intervalMs });
      } else if (intervalMs < LEAST_INTERVAL_MS) {
        this.#tiles.delete(tile);
      } else if (isStill) {
        const stopped = ticks.intervalMs > 0 && intervalMs > STOPPED_INTERVALS * ticks.intervalMs;
        this.#tiles.set(tile, { count: stopped ? 1 : ticks.count + 1, lastMs: atMs, intervalMs });
      }
    }
    this.#together.clear();
  }
}
