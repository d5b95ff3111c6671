import { inputLimits, TILE, type TileRect } from '../input/input-event.js';

import { tileGrid } from './frame.js';

/** How far a pointer's image reaches from its hot spot: most of it lies below and to the right. */
const POINTER_BEFORE = 8;
const POINTER_AFTER = 24;

/** A set of tiles of one screen, built up by pixel areas and single tiles. */
export class TileMask {
  readonly #columns: number;
  readonly #rows: number;
  readonly #set: Uint8Array;

  constructor(width: number, height: number) {
    const grid = tileGrid(width, height);
    this.#columns = grid.columns;
    this.#rows = grid.rows;
    this.#set = new Uint8Array(grid.columns * grid.rows);
  }

  addTile(index: number): void {
    if (index < this.#set.length) this.#set[index] = 1;
  }

  /** The tiles that a pointer at this pixel may cover. */
  addPointer({ x, y }: { readonly x: number; readonly y: number }): void {
    const left = Math.max(0, Math.floor((x - POINTER_BEFORE) / TILE));
    const right = Math.min(this.#columns - 1, Math.floor((x + POINTER_AFTER - 1) / TILE));
    const top = Math.max(0, Math.floor((y - POINTER_BEFORE) / TILE));
    const bottom = Math.min(this.#rows - 1, Math.floor((y + POINTER_AFTER - 1) / TILE));
    for (let row = top; row <= bottom; row++) {
      for (let column = left; column <= right; column++) this.addTile(row * this.#columns + column);
    }
  }

  /** The set as disjoint rectangles, top to bottom; at most as many as an anchor may carry, the rest is left out. */
  rects(): TileRect[] {
    const rects: TileRect[] = [];
    const left = Uint8Array.from(this.#set);
    for (let start = 0; start < left.length && rects.length < inputLimits.maskRects; start++) {
      if (left[start] !== 1) continue;
      const x = start % this.#columns;
      const y = Math.floor(start / this.#columns);
      let width = 1;
      while (x + width < this.#columns && left[start + width] === 1) width++;
      let height = 1;
      while (y + height < this.#rows && this.#full(left, x, y + height, width)) height++;
      for (let row = y; row < y + height; row++) {
        left.fill(0, row * this.#columns + x, row * this.#columns + x + width);
      }
      rects.push({ x, y, width, height });
    }
    return rects;
  }

  #full(tiles: Uint8Array, x: number, y: number, width: number): boolean {
    const start = y * this.#columns + x;
    return tiles.subarray(start, start + width).every((tile) => tile === 1);
  }
}
