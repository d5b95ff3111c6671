/** A screen, and the digest by which it is found again. Defined byte by byte in docs/formats/input-log.md. */
import { createHash } from 'node:crypto';

import { TILE, type TileRect } from '../input/input-event.js';

const { imul } = Math;

/** One screen: rows top to bottom, four bytes a pixel, B G R X. X has no meaning. */
export interface Frame {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** How a screen divides into tiles. */
export interface TileGrid {
  readonly columns: number;
  readonly rows: number;
}

export function tileGrid(width: number, height: number): TileGrid {
  return { columns: Math.ceil(width / TILE), rows: Math.ceil(height / TILE) };
}

/**
 * Hash of one tile as two 32-bit lanes, written to `out[at]` and `out[at + 1]`. Each step is a bijection of
 * the lane, so two tiles that differ in one pixel always differ in their hash.
 */
export function hashTile(
  words: Uint32Array,
  screen: { readonly width: number; readonly height: number },
  column: number,
  row: number,
  out: Uint32Array,
  at: number,
): void {
  const left = column * TILE;
  const top = row * TILE;
  const width = Math.min(TILE, screen.width - left);
  const height = Math.min(TILE, screen.height - top);
  let a = 0x243f6a88 ^ width;
  let b = 0x85a308d3 ^ height;
  for (let y = 0; y < height; y++) {
    const start = (top + y) * screen.width + left;
    for (let i = start; i < start + width; i++) {
      const w = (words[i] ?? 0) & 0xffffff;
      a ^= w;
      a = imul((a << 13) | (a >>> 19), 0x9e3779b1);
      b = (b + w) | 0;
      b = imul((b << 17) | (b >>> 15), 0x85ebca77);
    }
  }
  a = finish(a);
  out[at] = a;
  out[at + 1] = finish(b ^ a);
}

function finish(lane: number): number {
  let h = lane;
  h = imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = imul(h ^ (h >>> 12), 0x297a2d39);
  return h ^ (h >>> 15);
}

/** Digest of a screen from its tiles' hashes (two words a tile, row by row). 16 hexadecimal digits. */
export function digestTiles(
  width: number,
  height: number,
  tileHashes: Uint32Array,
  mask: readonly TileRect[],
): string {
  const { columns, rows } = tileGrid(width, height);
  const bytes = Buffer.alloc(4 + tileHashes.byteLength);
  bytes.writeUInt16LE(width, 0);
  bytes.writeUInt16LE(height, 2);
  bytes.set(new Uint8Array(tileHashes.buffer, tileHashes.byteOffset, tileHashes.byteLength), 4);
  for (const rect of mask) {
    const right = Math.min(columns, rect.x + rect.width);
    const bottom = Math.min(rows, rect.y + rect.height);
    if (rect.x >= right) continue;
    for (let row = rect.y; row < bottom; row++) {
      bytes.fill(0, 4 + 8 * (row * columns + rect.x), 4 + 8 * (row * columns + right));
    }
  }
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

/** Digest of a whole frame, leaving out the mask's tiles. */
export function frameDigest(frame: Frame, mask: readonly TileRect[] = []): string {
  const { columns, rows } = tileGrid(frame.width, frame.height);
  const hashes = new Uint32Array(2 * columns * rows);
  const words = pixelWords(frame.pixels, frame.width * frame.height);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      hashTile(words, frame, column, row, hashes, 2 * (row * columns + column));
    }
  }
  return digestTiles(frame.width, frame.height, hashes, mask);
}

/** Pixels as words. As digestTiles(), for little-endian hosts: every host that reprise runs on. */
export function pixelWords(pixels: Uint8Array, count: number): Uint32Array {
  const aligned = pixels.byteOffset % 4 === 0 ? pixels : Uint8Array.from(pixels);
  return new Uint32Array(aligned.buffer, aligned.byteOffset, count);
}
