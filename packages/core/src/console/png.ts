import { PNG } from 'pngjs';

import { type Frame, pixelWords } from './frame.js';

/** A frame as a PNG file. Unfiltered: screens are flat areas, which deflate packs well and quickly as they are. */
export function encodePng(frame: Frame): Buffer {
  const png = new PNG({ width: frame.width, height: frame.height });
  const source = pixelWords(frame.pixels, frame.width * frame.height);
  const target = new Uint32Array(source.length);
  for (const [i, word] of source.entries()) {
    // B G R X in memory to R G B A, opaque.
    target[i] = 0xff000000 | ((word & 0xff) << 16) | (word & 0xff00) | ((word >>> 16) & 0xff);
  }
  png.data = Buffer.from(target.buffer);
  return PNG.sync.write(png, { filterType: 0 });
}
