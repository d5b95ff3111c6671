import { encodePng } from '@reprise/core';

import { pageFates, type PageMap } from '../bytes/page-map.js';

export const fateColours: Readonly<Record<(typeof pageFates)[number], string>> = {
  same: '#eceff1',
  zero: '#b0bec5',
  'found in the base': '#7aa6c2',
  twin: '#9c7bb5',
  replayed: '#2f7d4f',
  shipped: '#c0392b',
};

const CELLS_A_ROW = 128;
const WHITE = '#ffffff';

/** A map as a picture of one pixel a cell: a PNG as a data URL, to be shown enlarged. */
export function mapPicture(map: PageMap): { url: string; width: number; height: number } {
  const width = CELLS_A_ROW;
  const height = Math.max(1, Math.ceil(map.cells.length / width));
  const pixels = Buffer.alloc(width * height * 4);
  for (let i = 0; i < width * height; i++) {
    // What is beyond the last page is drawn as the page's background.
    const fate = pageFates[Number(map.cells[i])];
    const colour = fate === undefined ? WHITE : fateColours[fate];
    // Blue, green, red and a byte that nobody looks at.
    pixels.writeUInt32LE(Number.parseInt(colour.slice(1), 16), i * 4);
  }
  const png = encodePng({ width, height, pixels });
  return { url: `data:image/png;base64,${png.toString('base64')}`, width, height };
}
