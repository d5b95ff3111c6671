import { TILE, type TileRect } from '../input/input-event.js';

import { digestTiles, type Frame, hashTile, pixelWords, tileGrid } from './frame.js';

/** Told about every tile whose content changed; hashes are (a, b) lane pairs. */
export interface TileObserver {
  tileChanged(tile: number, before: TileHash, after: TileHash): void;
  /** Every tile is another now. */
  resized(): void;
}

export interface TileHash {
  readonly a: number;
  readonly b: number;
}

/**
 * The screen as the display last told it, with a hash of every tile kept up to date: an update hashes only the tiles it touched,
 * so that a digest costs microseconds whenever it is asked for. Between begin of an update and commit() the digest is the last
 * committed screen's, never half of two.
 */
export class Framebuffer {
  #width = 0;
  #height = 0;
  #columns = 0;
  #pixels = new Uint8Array(0);
  #words: Uint32Array = new Uint32Array(0);
  #hashes = new Uint32Array(0);
  #dirty = new Uint8Array(0);
  readonly #observer: TileObserver | undefined;

  constructor(observer?: TileObserver) {
    this.#observer = observer;
  }

  get width(): number {
    return this.#width;
  }

  get height(): number {
    return this.#height;
  }

  /** A black screen of this size. */
  resize(width: number, height: number): void {
    const { columns, rows } = tileGrid(width, height);
    this.#width = width;
    this.#height = height;
    this.#columns = columns;
    this.#pixels = new Uint8Array(4 * width * height);
    this.#words = pixelWords(this.#pixels, width * height);
    this.#hashes = new Uint32Array(2 * columns * rows);
    this.#dirty = new Uint8Array(columns * rows).fill(1);
    this.#observer?.resized();
    this.commit(false);
  }

  /** The bytes of a part of one row, to be filled. */
  span(x: number, y: number, width: number): Uint8Array {
    const start = 4 * (y * this.#width + x);
    return this.#pixels.subarray(start, start + 4 * width);
  }

  touch(x: number, y: number, width: number, height: number): void {
    if (width === 0 || height === 0) return;
    const right = Math.floor((x + width - 1) / TILE);
    const bottom = Math.floor((y + height - 1) / TILE);
    for (let row = Math.floor(y / TILE); row <= bottom; row++) {
      this.#dirty.fill(
        1,
        row * this.#columns + Math.floor(x / TILE),
        row * this.#columns + right + 1,
      );
    }
  }

  /** Ends an update. Returns how many tiles show something else than before. */
  commit(observe = true): number {
    let changed = 0;
    const fresh = new Uint32Array(2);
    for (let tile = this.#dirty.indexOf(1); tile !== -1; tile = this.#dirty.indexOf(1, tile + 1)) {
      this.#dirty[tile] = 0;
      hashTile(this.#words, this, tile % this.#columns, Math.floor(tile / this.#columns), fresh, 0);
      const before = { a: this.#hashes[2 * tile] ?? 0, b: this.#hashes[2 * tile + 1] ?? 0 };
      const after = { a: fresh[0] ?? 0, b: fresh[1] ?? 0 };
      if (before.a === after.a && before.b === after.b) continue;
      this.#hashes.set(fresh, 2 * tile);
      changed++;
      if (observe) this.#observer?.tileChanged(tile, before, after);
    }
    return changed;
  }

  /** Digest of the last committed screen, leaving out the mask's tiles. */
  digest(mask: readonly TileRect[] = []): string {
    return digestTiles(this.#width, this.#height, this.#hashes, mask);
  }

  /** A copy. */
  frame(): Frame {
    return { width: this.#width, height: this.#height, pixels: this.#pixels.slice() };
  }
}
