import type { Frame, TileRect } from '@reprise/core';

/** Side of a tile in pixels, as anchors have it. */
const TILE = 32;
/** Blue, green and red of a pixel; its fourth byte means nothing. */
const COLOUR = 0xffffff;

/** A tile by its column and row. */
export interface Tile {
  readonly x: number;
  readonly y: number;
}

/** The tiles in which two screens differ, those in `masked` left out. Undefined: the screens have different sizes. */
export function tilesThatDiffer(
  one: Frame,
  other: Frame,
  masked: readonly TileRect[] = [],
): Tile[] | undefined {
  const { width, height } = one;
  if (other.width !== width || other.height !== height) return undefined;
  const [a, b] = [wordsOf(one), wordsOf(other)];
  const tiles: Tile[] = [];
  for (let y = 0; y * TILE < height; y++) {
    for (let x = 0; x * TILE < width; x++) {
      if (masked.some((area) => holds(area, x, y))) continue;
      if (!sameTile(a, b, one, x, y)) tiles.push({ x, y });
    }
  }
  return tiles;
}

/** Whether both screens show the same in each of `tiles`. */
export function sameIn(tiles: readonly Tile[], one: Frame, other: Frame): boolean {
  const different = tilesThatDiffer(one, other);
  if (different === undefined) return false;
  return !different.some(({ x, y }) => tiles.some((tile) => tile.x === x && tile.y === y));
}

function holds({ x, y, width, height }: TileRect, column: number, row: number): boolean {
  return column >= x && column < x + width && row >= y && row < y + height;
}

function sameTile(
  a: Uint32Array,
  b: Uint32Array,
  { width, height }: Frame,
  column: number,
  row: number,
): boolean {
  const right = Math.min(width, (column + 1) * TILE);
  const bottom = Math.min(height, (row + 1) * TILE);
  for (let y = row * TILE; y < bottom; y++) {
    for (let i = y * width + column * TILE; i < y * width + right; i++) {
      if ((((a[i] ?? 0) ^ (b[i] ?? 0)) & COLOUR) !== 0) return false;
    }
  }
  return true;
}

function wordsOf({ pixels, width, height }: Frame): Uint32Array {
  const aligned = pixels.byteOffset % 4 === 0 ? pixels : Uint8Array.from(pixels);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, width * height);
}
