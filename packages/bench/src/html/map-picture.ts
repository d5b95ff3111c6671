import { crc32, deflateSync } from 'node:zlib';

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

/** A map as a picture of one pixel a cell: a PNG as a data URL, to be shown enlarged. */
export function mapPicture(map: PageMap): { url: string; width: number; height: number } {
  const width = CELLS_A_ROW;
  const height = Math.max(1, Math.ceil(map.cells.length / width));
  const rows = Buffer.alloc(height * (width + 1));
  for (let i = 0; i < width * height; i++) {
    // What is beyond the last page is drawn as the page's background.
    rows[Math.floor(i / width) * (width + 1) + 1 + (i % width)] =
      i < map.cells.length ? Number(map.cells[i]) : pageFates.length;
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits, an index into a palette.
  header.set([8, 3, 0, 0, 0], 8);
  const palette = [...pageFates.map((fate) => fateColours[fate]), '#ffffff'];
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('PLTE', Buffer.from(palette.map((colour) => colour.slice(1)).join(''), 'hex')),
    chunk('IDAT', deflateSync(rows, { level: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  return { url: `data:image/png;base64,${png.toString('base64')}`, width, height };
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
