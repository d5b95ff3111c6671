import { open, type FileHandle } from 'node:fs/promises';

import { PAGE_SIZE, type Image } from './image.js';

/** Reads single pages of an image: for what looks at a few of them. Kernels read the rest. */
export class ImageReader implements AsyncDisposable {
  readonly #image: Image;
  readonly #files: readonly FileHandle[];

  private constructor(image: Image, files: readonly FileHandle[]) {
    this.#image = image;
    this.#files = files;
  }

  /** Opens every file of the image. */
  static async open(image: Image): Promise<ImageReader> {
    const files: FileHandle[] = [];
    try {
      for (const path of image.files) files.push(await open(path, 'r'));
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
    return new ImageReader(image, files);
  }

  /** The bytes of a page; what no extent covers reads as zeros. */
  async page(number: number): Promise<Buffer> {
    const out = Buffer.alloc(PAGE_SIZE);
    const begin = BigInt(number) * BigInt(PAGE_SIZE);
    const end = begin + BigInt(PAGE_SIZE);
    const { extents } = this.#image;
    for (let i = firstEndingAfter(extents, begin); i < extents.length; i += 4) {
      const [logical, length] = [extents[i] ?? 0n, extents[i + 1] ?? 0n];
      if (logical >= end) break;
      const from = logical > begin ? logical : begin;
      const to = logical + length < end ? logical + length : end;
      const file = this.#files[Number(extents[i + 2])];
      const at = Number((extents[i + 3] ?? 0n) + from - logical);
      await file?.read(out, Number(from - begin), Number(to - from), at);
    }
    return out;
  }

  async close(): Promise<void> {
    await Promise.all(this.#files.map((file) => file.close()));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

function firstEndingAfter(extents: BigUint64Array, offset: bigint): number {
  let low = 0;
  let high = extents.length / 4;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((extents[middle * 4] ?? 0n) + (extents[middle * 4 + 1] ?? 0n) <= offset) low = middle + 1;
    else high = middle;
  }
  return low * 4;
}
